package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
	"proa/node/run"
	"proa/node/serve/logfile"
)

// containerLogs copies a container's log. Errors are plain text: the API server wraps them for users.
func (s *Server) containerLogs(w http.ResponseWriter, r *http.Request) {
	name, container := r.PathValue("pod"), r.PathValue("container")
	query := r.URL.Query()
	options, err := logOptions(query)
	if err != nil {
		http.Error(w, `{"message": "Unable to decode query."}`, http.StatusBadRequest)
		return
	}
	served, ok := s.cfg.Pods.Pod(r.PathValue("namespace"), name)
	if !ok {
		http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
		return
	}
	if pod.FindContainer(served.Pod, container) == nil {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", container, name), http.StatusNotFound)
		return
	}
	from, err := logOf(served, container, flag(query, "previous"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := &flusher{w: w}
	to := logfile.Destination{Stdout: out, Stderr: out, Pause: out.flush}
	switch query.Get("stream") {
	case v1.LogStreamStdout:
		to.Stderr = nil
	case v1.LogStreamStderr:
		to.Stdout = nil
	}
	if options.Follow {
		out.flush() // the reader learns at once that there is a log, if an empty one
	}
	running := func(ctx context.Context) bool { return s.isRunning(ctx, from.ID) }
	if err := logfile.Copy(r.Context(), from.LogPath, options, to, running); err != nil {
		if !out.written {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.cfg.Log.Debug("copy log", "pod", name, "container", container, "error", err)
	}
}

func (s *Server) isRunning(ctx context.Context, id string) bool {
	response, err := s.cfg.Runtime.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id})
	return err == nil && response.GetStatus().GetState() == runtimeapi.ContainerState_CONTAINER_RUNNING
}

func flag(query url.Values, name string) bool {
	value, err := strconv.ParseBool(query.Get(name))
	return err == nil && value
}

func logOptions(query url.Values) (options logfile.Options, err error) {
	options = logfile.Options{Follow: flag(query, "follow"), Timestamps: flag(query, "timestamps")}
	number := func(name string) *int64 {
		text := query.Get(name)
		if text == "" || err != nil {
			return nil
		}
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err == nil && n < 0 {
			err = fmt.Errorf("%s is below zero", name)
		}
		return &n
	}
	options.TailLines, options.LimitBytes = number("tailLines"), number("limitBytes")
	if seconds := number("sinceSeconds"); seconds != nil {
		options.Since = time.Now().Add(-time.Duration(*seconds) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" && err == nil {
		options.Since, err = time.Parse(time.RFC3339, text)
	}
	return options, err
}

// logOf finds the container whose log is meant, or says why there is none.
func logOf(served run.Served, name string, previous bool) (run.ServedContainer, error) {
	in := served.Pod.Name
	from, ok := newest(served, name, previous)
	if ok && from.LogPath != "" {
		return from, nil
	}
	if previous {
		return from, fmt.Errorf("previous terminated container %q in pod %q not found", name, in)
	}
	for _, list := range [][]v1.ContainerStatus{served.Status.ContainerStatuses, served.Status.InitContainerStatuses, served.Status.EphemeralContainerStatuses} {
		for _, status := range list {
			if status.Name == name {
				return from, waitingFor(status, in)
			}
		}
	}
	return from, fmt.Errorf("container %q in pod %q is not available", name, in)
}

func waitingFor(status v1.ContainerStatus, in string) error {
	waiting := status.State.Waiting
	switch {
	case waiting == nil:
		return fmt.Errorf("container %q in pod %q is terminated", status.Name, in)
	case waiting.Reason == "ErrImagePull":
		return fmt.Errorf("container %q in pod %q is waiting to start: image can't be pulled", status.Name, in)
	case waiting.Reason == "ImagePullBackOff":
		return fmt.Errorf("container %q in pod %q is waiting to start: trying and failing to pull image", status.Name, in)
	}
	return fmt.Errorf("container %q in pod %q is waiting to start: %v", status.Name, in, waiting.Reason)
}

// flusher knows whether the answer has begun. It sends what is written when its buffer is full, and at a flush: a flush for
// every line is what a long log would spend most of its time on.
type flusher struct {
	w       http.ResponseWriter
	written bool
}

var _ io.Writer = (*flusher)(nil)

// Write implements io.Writer.
func (f *flusher) Write(p []byte) (int, error) {
	f.written = true
	return f.w.Write(p)
}

// flush sends what there is. A reader who left is noticed by the next Write, or by the request's context.
func (f *flusher) flush() {
	f.written = true
	http.NewResponseController(f.w).Flush()
}
