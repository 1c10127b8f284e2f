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

// What the engine takes for itself is let pass once, whatever the number of arguments, and nothing beside it.
func TestScratchOfTheEngine(t *testing.T) {
	const before = 10 << 20
	for arguments, taken := range []uint64{104857500, 52428700, 34952433, 26214300} {
		w := Watch{}
		for i, memory := range []uint64{before, before + taken + 2<<20, before + taken + most} {
			if err := w.judge(memory, 10); err != nil {
				t.Errorf("%d arguments, look %d: %v", arguments+1, i, err)
			}
		}
		if err := w.judge(before+taken+most+1, 10); err == nil {
			t.Errorf("%d arguments: a byte more is let pass, too", arguments+1)
		}
		if err := w.judge(before+2*taken+most, 10); err == nil {
			t.Errorf("%d arguments: the same again is let pass, too", arguments+1)
		}
	}
}

func TestStepsThatAreNotTheEngines(t *testing.T) {
	for _, step := range []int64{-shared, 0, 20 << 20, 44 << 20, 70 << 20, 110 << 20, 200 << 20} {
		if taken := scratch(step); taken != 0 {
			t.Errorf("%d MiB were taken for %d of the engine", step>>20, taken)
		}
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
