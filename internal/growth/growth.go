// Package growth tells fuzzers whether what they try leaks.
//
// It decides when memory or goroutines grew too much between two looks, and owns no state but that of a Watch, which a
// fuzzer keeps while it runs. Tests alone call it.
package growth

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

const (
	// most is how much memory may grow while a fuzzer runs.
	most = 64 << 20
	// every is how many inputs are tried between two looks.
	every = 1000
	// mostGoroutines is how many more there may be than at the first look: connections come and go.
	mostGoroutines = 50
	// shared is the memory in which the fuzzing engine hands an input to a worker: its workerSharedMemSize.
	shared = 100 << 20
	// mostArguments is how many a fuzzer has, besides its test.
	mostArguments = 4
	// beside is how much more or less memory may be in use for other reasons at the look that finds the engine's.
	beside = 4 << 20
	// record names the variable with the path of a file to which each look is written: a fuzzer's worker has no output.
	record = "PROA_FUZZ_GROWTH"
)

// Watch is what was seen since a fuzzer began. The zero Watch has seen nothing. One goroutine uses it.
type Watch struct {
	tried      int
	memory     uint64 // at the first look, bytes of heap and stacks that are in use
	goroutines int    // then
	last       uint64 // memory at the last look
	changes    bool   // the engine has begun to change inputs, which is no growth of what is tried
}

// Tried counts an input, and fails the test when a look at every 1,000th finds more than the first found.
func (w *Watch) Tried(t testing.TB) {
	t.Helper()
	if w.tried++; w.tried%every != 0 {
		return
	}
	if err := w.judge(inUse(), runtime.NumGoroutine()); err != nil {
		t.Error(err)
	}
}

// judge compares with the first look.
func (w *Watch) judge(memory uint64, goroutines int) error {
	if w.goroutines == 0 {
		w.memory, w.last, w.goroutines = memory, memory, goroutines
	}
	if taken := scratch(int64(memory) - int64(w.last)); !w.changes && taken > 0 {
		w.changes = true
		w.memory += uint64(taken)
	}
	w.last = memory
	if err := w.write(memory, goroutines); err != nil {
		return err
	}
	if goroutines > w.goroutines+mostGoroutines {
		return fmt.Errorf("there were %d goroutines, and there are %d after %d inputs", w.goroutines, goroutines, w.tried)
	}
	if memory > w.memory+most {
		return fmt.Errorf("memory in use grew from %d MiB to %d MiB in %d inputs", w.memory>>20, memory>>20, w.tried)
	}
	return nil
}

// scratch is what the engine took if memory in use rose by step since the last look, and else 0. When it changes a text for
// the first time, it makes room for the longest that one argument may become, and keeps that as long as the worker lives:
// the shared memory divided by the number of arguments, less 100 bytes (mutate in internal/fuzz/mutator.go of Go).
func scratch(step int64) int64 {
	for arguments := range int64(mostArguments) {
		taken := shared/(arguments+1) - 100
		if step > taken-beside && step < taken+beside {
			return taken
		}
	}
	return 0
}

// write adds a line to the record, if one is kept: inputs, KiB and goroutines more than at the first look.
func (w *Watch) write(memory uint64, goroutines int) error {
	path := os.Getenv(record)
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record growth: %w", err)
	}
	defer file.Close()
	if _, err := fmt.Fprintln(file, w.tried, (int64(memory)-int64(w.memory))>>10, goroutines-w.goroutines); err != nil {
		return fmt.Errorf("record growth: %w", err)
	}
	return nil
}

// inUse is what is reachable after a collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
