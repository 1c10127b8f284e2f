package image

import (
	"runtime"
	"testing"
)

// PauseProgram is the program of this machine's architecture.
func PauseProgram(t *testing.T) []byte {
	t.Helper()
	program, err := pauseProgram(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	return program
}
