package reconcile

import (
	"slices"

	"proa/kinds"
	"proa/kinds/resource"
)

// Deletable lists the built-in stored kinds whose objects can be deleted, in table order: with the custom ones, what the
// garbage collector and the deletion of namespaces go through.
func Deletable(table *kinds.Table) []*resource.Resource {
	var rows []*resource.Resource
	for _, row := range table.Rows() {
		if row.Custom == nil && !row.Virtual && (row.Verbs == nil || slices.Contains(row.Verbs, "delete")) {
			rows = append(rows, row)
		}
	}
	return rows
}
