package batch_test

import (
	"testing"

	"proa/internal/growth"
	"proa/kinds/batch"
)

func TestIndexes(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0": 1, "1,3-5,7": 5, "0,1": 2, "0-99": 100} {
		all, err := batch.ParseIndexes(text, 100)
		if err != nil || batch.CountIndexes(all) != want || batch.FormatIndexes(all) != text {
			t.Errorf("%q: %v, %v: written %q, %d indexes; want %d", text, all, err, batch.FormatIndexes(all), batch.CountIndexes(all), want)
		}
	}
	for _, text := range []string{",", "a", "1-", "1-2-3", "2,1", "1,1", "3-3", "100", "1-100", "5-2"} {
		if all, err := batch.ParseIndexes(text, 100); err == nil {
			t.Errorf("%q: %v, and no error", text, all)
		}
	}
}

func FuzzIndexes(f *testing.F) {
	f.Add("1,3-5,7", 10)
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, text string, completions int) {
		grown.Tried(t)
		all, err := batch.ParseIndexes(text, completions)
		if err != nil {
			return
		}
		again, err := batch.ParseIndexes(batch.FormatIndexes(all), completions)
		if err != nil || batch.CountIndexes(again) != batch.CountIndexes(all) {
			t.Errorf("%q: %v, again %v, %v", text, all, again, err)
		}
	})
}
