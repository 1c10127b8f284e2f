package chain

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWarnings is the room for warnings in a response's headers, in bytes, as upstream's.
const maxWarnings = 4 << 10

// Warner returns what adds Warning headers to a response that is not written yet. Each text is added once.
func Warner(w http.ResponseWriter) func(string) {
	seen := map[string]bool(nil)
	room := maxWarnings
	return func(text string) {
		if seen[text] || text == "" {
			return
		}
		header := `299 - "` + quotable(text) + `"`
		if len(header) > room {
			return
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[text] = true
		room -= len(header)
		w.Header().Add("Warning", header)
	}
}

// quotable makes a text fit between the quotes of a header's value.
func quotable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}
