package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"proa/kinds"
)

func ourServer(t *testing.T) *server {
	t.Helper()
	ours, stop, err := startOurs(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return ours
}

// TestCases asks Proa what upstream was asked, and expects upstream's answers.
func TestCases(t *testing.T) {
	ours := ourServer(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all, err := parseHistories(string(text))
			if err != nil || len(all) == 0 {
				t.Fatalf("%d histories, %v", len(all), err)
			}
			for _, h := range all {
				found, err := replay(t.Context(), ours, h)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range found {
					if f.known == nil && !slices.Contains(openClasses(), f.class()) {
						t.Errorf("%s: %s", h.title, f.difference)
					}
				}
			}
		})
	}
}

// TestAnswersAlike records histories of Proa itself and asks the same again: whatever differs, a symbol is missing.
func TestAnswersAlike(t *testing.T) {
	ours := ourServer(t)
	all, err := targets(kinds.Builtin(), kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	found := newReport(nil)
	if err := each(t.Context(), 12, recordAndReplay(ours, all, found)); err != nil {
		t.Fatal(err)
	}
	for _, c := range found.unknown() {
		t.Error(c.first.difference)
	}
}

func TestHistoriesAreReadAsWritten(t *testing.T) {
	h := history{"seed 1, history 2", []exchange{
		{request{"POST", "/x", []string{"Content-Type: application/yaml"}, "a: 1\nb:\n   c: 2"}, answer{201, []string{"Warning: w"}, "kind: X\n  y: z"}},
		{request{"GET", "/x", nil, ""}, answer{200, nil, "plain"}},
	}}
	got, err := parseHistories(h.String() + "\n" + h.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || fmt.Sprint(got[0]) != fmt.Sprint(h) || fmt.Sprint(got[1]) != fmt.Sprint(h) {
		t.Errorf("got\n%v\nwant twice\n%v", got, h)
	}
}
