package run

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// reopener is a runtime that opens logs anew, and nothing else.
type reopener struct {
	Runtime
	path string
}

func (r *reopener) ReopenLog(context.Context, string) error {
	return os.WriteFile(r.path, []byte("new"), 0o600)
}

func TestRotateLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	r := &Runner{Config: Config{Runtime: &reopener{path: path}}}
	for i, old := range []string{"20200101-000000", "20210101-000000", "20220101-000000", "20230101-000000"} {
		if err := os.WriteFile(path+"."+old, []byte{byte('a' + i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write := func(size int64) {
		t.Helper()
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	write(maxLogSize - 1)
	if err := r.rotateLog(t.Context(), "id", path); err != nil || len(logFiles(path)) != 5 {
		t.Fatalf("a small log was rotated: %v %v", logFiles(path), err)
	}
	write(maxLogSize)
	if err := r.rotateLog(t.Context(), "id", path); err != nil {
		t.Fatal(err)
	}
	if files := logFiles(path); len(files) != maxLogFiles {
		t.Errorf("files are %v", files)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new" {
		t.Errorf("the log holds %q (%v)", text, err)
	}
	f, err := os.Open(path + ".20230101-000000.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(zip); err != nil || string(text) != "d" {
		t.Errorf("the compressed log holds %q (%v)", text, err)
	}
}
