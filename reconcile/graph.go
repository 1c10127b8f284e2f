package reconcile

import (
	"fmt"
	"slices"
	"strings"
)

// Graph prints the controllers with what they read, alone write and delete, as a page of documentation.
func (h *Host) Graph() string {
	var out strings.Builder
	for _, c := range h.controllers {
		fmt.Fprintf(&out, "%s (%s)\n", c.Name, c.Identity)
		var reads []string
		for _, read := range c.Reads {
			if !slices.Contains(reads, read.Table) {
				reads = append(reads, read.Table)
			}
		}
		for _, line := range []struct {
			verb  string
			names []string
		}{{"reads", reads}, {"writes", c.Writes}, {"deletes", c.Deletes}} {
			if len(line.names) > 0 {
				fmt.Fprintf(&out, "  %-7s %s\n", line.verb, strings.Join(line.names, ",\n          "))
			}
		}
		out.WriteByte('\n')
	}
	return strings.TrimSuffix(out.String(), "\n")
}
