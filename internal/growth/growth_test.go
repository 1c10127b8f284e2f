package growth

import (
	"os"
	"path/filepath"
	"testing"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		memory     uint64
		goroutines int
		want       string
	}{
		{100<<20 + most, 10 + mostGoroutines, ""},
		{1 << 20, 1, ""},
		{100<<20 + most + 1<<20, 10, "memory in use grew from 100 MiB to 165 MiB in 7 inputs"},
		{100 << 20, 11 + mostGoroutines, "there were 10 goroutines, and there are 61 after 7 inputs"},
	} {
		w := Watch{tried: 7}
		if err := w.judge(100<<20, 10); err != nil {
			t.Errorf("the first look: %v", err)
		}
		got := ""
		if err := w.judge(c.memory, c.goroutines); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d bytes, %d goroutines: %q, want %q", c.memory, c.goroutines, got, c.want)
		}
	}
}

// What the engine takes for itself is let pass, once.
func TestScratchOfTheEngine(t *testing.T) {
	w := Watch{}
	for i, memory := range []uint64{10 << 20, 112 << 20, 113 << 20, 170 << 20} {
		if err := w.judge(memory, 10); err != nil {
			t.Errorf("look %d: %v", i, err)
		}
	}
	if err := w.judge(280<<20, 10); err == nil {
		t.Error("the same again is let pass, too")
	}
}

func TestLooksAreRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	t.Setenv(record, path)
	var w Watch
	for range 2 * every {
		w.Tried(t)
	}
	if w.memory == 0 {
		t.Error("1000 inputs, and nobody looked")
	}
	if err := w.judge(w.memory+3<<10, w.goroutines+2); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := string(got); lines[:9] != "1000 0 0\n" || lines[len(lines)-9:] != "2000 3 2\n" {
		t.Errorf("recorded %q", lines)
	}
}
