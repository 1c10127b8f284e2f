package cri

import (
	"strings"
)

// Expander returns a function that replaces $(NAME) by the variable's value. $$ is a plain $, and what names no variable
// stays as it is.
func Expander(env []Variable) func(string) string {
	values := make(map[string]string, len(env))
	for _, e := range env {
		values[e.Name] = e.Value
	}
	return func(s string) string { return expand(s, values) }
}

func expand(s string, values map[string]string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				out.WriteString("$(")
				i++
				continue
			}
			reference := s[i : i+end+1]
			if value, ok := values[reference[2:end]]; ok {
				out.WriteString(value)
			} else {
				out.WriteString(reference)
			}
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

func expandAll(list []string, expand func(string) string) []string {
	var out []string
	for _, s := range list {
		out = append(out, expand(s))
	}
	return out
}
