package main

import (
	"os"
	"testing"
)

// TestForms asks Proa for lists, watches and shapes in every way, and expects upstream's answers.
func TestForms(t *testing.T) {
	text, err := os.ReadFile("testdata/forms/answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := parseForms(string(text))
	if err != nil {
		t.Fatal(err)
	}
	questions := make([]request, len(recorded))
	for i, f := range recorded {
		questions[i] = f.request
	}
	got, err := askForms(t.Context(), ourServer(t), questions)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range recorded {
		if got[i].answer != f.answer && classify(difference{f.request, "form", f.answer, got[i].answer}) == nil {
			t.Errorf("%s %s %v\nupstream %s\nours     %s", f.request.method, f.request.path, f.request.header, f.answer, got[i].answer)
		}
	}
}
