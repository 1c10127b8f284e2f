package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// causes lists what a failure was for, once each, since several of upstream's rules may find the same.
//
// Upstream walks maps in any order, that of a conflict's managers, too. Causes that follow each other and are about one map, or
// one field, are therefore sorted, and all conflicts, and those of custom objects, whose schema is a map; the order of all others
// is the answer's.
func causes(status map[string]any) []string {
	details, _ := status["details"].(map[string]any)
	list, _ := details["causes"].([]any)
	var out, fields []string
	for _, c := range list {
		cause, ok := c.(map[string]any)
		if !ok {
			continue
		}
		line := fmt.Sprintf("%v: %v: %v", cause["field"], cause["reason"], quoteless(fmt.Sprint(cause["message"])))
		if !slices.Contains(out, line) {
			out, fields = append(out, line), append(fields, wholeMap(foundAt(line, fmt.Sprint(cause["field"]))))
		}
	}
	if details["group"] == customs[0].gvk.Group {
		slices.Sort(out)
		return out
	}
	for from := 0; from < len(out); {
		to := from + 1
		for to < len(out) && fields[to] == fields[from] {
			to++
		}
		slices.Sort(out[from:to])
		from = to
	}
	return out
}

// foundAt is the field whose check found a fault of another: upstream looks for missing limits while it walks requests. Of
// conflicts it is none, since they belong to managers.
func foundAt(line, field string) string {
	if strings.HasPrefix(line, field+": "+string(metav1.CauseTypeFieldManagerConflict)+": ") {
		return ""
	}
	if at, isLimits := strings.CutSuffix(field, ".limits"); isLimits && strings.HasSuffix(line, "Limit must be set for non overcommitable resources") {
		return at + ".requests"
	}
	return field
}

// mapKey is where a field's path enters a map: an index that is no number.
var mapKey = regexp.MustCompile(`\[(?:[^\]]*[^0-9\]][^\]]*)?\]`)

// wholeMap is the part of a field's path before the first key of a map.
func wholeMap(field string) string {
	if at := mapKey.FindStringIndex(field); at != nil {
		return field[:at[0]]
	}
	return field
}

var severalCauses = regexp.MustCompile(`\[?\{cause\}(, \{cause\})*\]?`)

// ownWords is a failure's message without what its causes say, and with the lines of a list of errors sorted: those come
// from maps too.
func ownWords(status map[string]any) string {
	message := fmt.Sprint(status["message"])
	details, _ := status["details"].(map[string]any)
	list, _ := details["causes"].([]any)
	var said []string
	for _, c := range list {
		if cause, ok := c.(map[string]any); ok {
			said = append(said, fmt.Sprintf("%v: %v", cause["field"], cause["message"]))
		}
	}
	slices.SortFunc(said, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	for _, text := range said {
		message = strings.ReplaceAll(message, text, "{cause}")
	}
	message = quoteless(severalCauses.ReplaceAllString(message, "{causes}"))
	if first, rest, found := strings.Cut(message, "errors:\n"); found {
		lines := strings.Split(rest, "\n")
		slices.Sort(lines)
		message = first + "errors:\n" + strings.Join(lines, "\n")
	}
	return message
}
