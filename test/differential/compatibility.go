package main

import (
	"fmt"
	"slices"
	"strings"
)

const compatibilityHead = `# Compatibility

` + "`make differential`" + ` asks upstream's kube-apiserver and Proa the same random requests and compares codes, reasons, messages,
causes, headers, objects with defaults and managedFields, lists and watch events. This page is made from the table in
` + "`test/differential/known.go`" + `: every difference that remains, and why. Whatever is not listed here fails the run.

Not compared: what a server chooses itself (uids, revisions, times, cluster IPs, node ports, generated names), the order of
managedFields within a second, the order of causes from one map, what a server answers now so and now so, that upstream writes a
pod once more before it takes it away at once (Proa does both in one write, whose event has the deletionTimestamp), how often a cause is repeated (several of upstream's rules may find the same), and objects that errors quote after "Invalid value:", which upstream writes with the field
names of its internal types and Proa with those of the API.

| request | where | reason |
|---|---|---|
`

// compatibility is docs/compatibility.md.
func compatibility() string {
	var b strings.Builder
	b.WriteString(compatibilityHead)
	cell := func(pattern string) string {
		if pattern == "" {
			return "all"
		}
		return "`" + strings.ReplaceAll(pattern, "|", "\\|") + "`"
	}
	for _, k := range knownDifferences {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(k.request), cell(k.where), k.reason)
	}
	open := slices.DeleteFunc(openClasses(), func(name string) bool { return name == "" })
	if len(open) > 0 {
		b.WriteString("\n## Not mended yet\n\nClasses of differences that the runs found, as `test/differential/open.txt` has them: request, where, upstream's answer, ours.\n\n")
	}
	for _, name := range open {
		fmt.Fprintf(&b, "- `%s`\n", strings.ReplaceAll(name, "`", "'"))
	}
	return b.String()
}
