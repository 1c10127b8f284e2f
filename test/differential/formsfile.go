package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// form is a question and its answer, both on one line.
type form struct {
	request request
	answer  string
}

// askForms makes the objects and asks all questions, many at the same time. Each is asked with what the making taught.
func askForms(ctx context.Context, v *server, questions []request) ([]form, error) {
	s := newSymbols(freshNamespace())
	for _, r := range formsSetup() {
		a, err := v.ask(ctx, s, r)
		if err != nil {
			return nil, err
		}
		if a.code >= 300 {
			return nil, fmt.Errorf("%s %s: %d %s", r.method, r.path, a.code, gist(a))
		}
	}
	out := make([]form, len(questions))
	err := eachBeside(ctx, 64, len(questions), func(ctx context.Context, i int) error {
		a, err := v.askForm(ctx, s.clone(), questions[i])
		out[i] = form{questions[i], a}
		return err
	})
	return out, err
}

// What stands between the parts of a question, which are its method and path, each header, and its body.
const formPart = " | "

// String writes a form as testdata/forms.txt has it.
func (f form) String() string {
	parts := append([]string{f.request.method + " " + f.request.path}, f.request.header...)
	if f.request.body != "" {
		parts = append(parts, f.request.body)
	}
	return strings.Join(parts, formPart) + "\n\t" + f.answer + "\n"
}

// parseForms reads what String wrote.
func parseForms(text string) ([]form, error) {
	var out []form
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		answer, isAnswer := strings.CutPrefix(line, "\t")
		switch {
		case isAnswer && len(out) > 0:
			out[len(out)-1].answer = answer
			continue
		case isAnswer:
			return nil, fmt.Errorf("read forms: line %d: an answer to nothing", n+1)
		}
		var f form
		for i, part := range strings.Split(line, formPart) {
			switch {
			case i == 0:
				f.request.method, f.request.path, _ = strings.Cut(part, " ")
			case strings.HasPrefix(part, "{"):
				f.request.body = part
			default:
				f.request.header = append(f.request.header, part)
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// recordForms writes what upstream answers.
func recordForms(ctx context.Context, upstream *server, file string) error {
	asked, err := askForms(ctx, upstream, forms())
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, f := range asked {
		b.WriteString(f.String())
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write forms: %w", err)
	}
	return nil
}
