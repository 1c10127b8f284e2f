package cri

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// terminationMessage is what a container that ended left as its last words: the file at terminationMessagePath, or the end
// of its log when the policy says so and it failed, after what the runtime has to say.
func terminationMessage(s *runtimeapi.ContainerStatus) string {
	fallback := s.Annotations[annotationMessagePolicy] == string(v1.TerminationMessageFallbackToLogsOnError) && s.ExitCode != 0
	message, useLogs := messageFile(s, fallback)
	if useLogs {
		message = logTail(s.LogPath)
	}
	if s.Message != "" && message != "" {
		return s.Message + ": " + message
	}
	return s.Message + message
}

func messageFile(s *runtimeapi.ContainerStatus, fallback bool) (message string, useLogs bool) {
	path := s.Annotations[annotationMessagePath]
	for _, mount := range s.Mounts {
		if path == "" || mount.ContainerPath != path {
			continue
		}
		data, err := readEnd(mount.HostPath, maxTerminationMessage)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", fallback
		case err != nil:
			return fmt.Sprintf("Error on reading termination log %s: %v", mount.HostPath, err), false
		}
		return string(data), fallback && len(data) == 0
	}
	return "", fallback
}

// readEnd reads the last bytes of a file, which a container may have made as long as it liked.
func readEnd(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if over := info.Size() - limit; over > 0 {
		if _, err := f.Seek(over, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// logTail is the end of a container's log without times and stream names.
func logTail(path string) string {
	data, err := readEnd(path, 4*maxTerminationMessageOfLogs)
	if err != nil {
		return fmt.Sprintf("Error on reading termination message from logs: %v", err)
	}
	var out strings.Builder
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, len(data)+1)
	for scanner.Scan() {
		out.WriteString(logLine(scanner.Text()))
	}
	text := out.String()
	if lines := strings.SplitAfter(text, "\n"); len(lines) > maxTerminationMessageLines {
		text = strings.Join(lines[len(lines)-maxTerminationMessageLines:], "")
	}
	if len(text) > maxTerminationMessageOfLogs {
		text = text[len(text)-maxTerminationMessageOfLogs:]
	}
	return text
}

// logLine is the text of one line of a CRI log ("time stream F text") or of a JSON one.
func logLine(line string) string {
	var asJSON struct{ Log string }
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &asJSON) == nil {
		return asJSON.Log
	}
	parts := strings.SplitN(line, " ", 4)
	if len(parts) < 4 {
		return ""
	}
	if parts[2] == "P" {
		return parts[3]
	}
	return parts[3] + "\n"
}
