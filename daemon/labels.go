package daemon

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"proa/apiserver/auth"
)

// checkLabels refuses labels that the API would refuse a node, before anything is started.
func checkLabels(labels map[string]string) error {
	var wrong []error
	if forbidden := auth.ForbiddenLabels(labels, nil); len(forbidden) > 0 {
		wrong = append(wrong, fmt.Errorf("labels %s: nodes may not give themselves these: kubectl label node does", strings.Join(forbidden, ", ")))
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		reasons := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(labels[key])...)
		if len(reasons) > 0 {
			wrong = append(wrong, fmt.Errorf("label %s=%s: %s", key, labels[key], strings.Join(reasons, "; ")))
		}
	}
	return errors.Join(wrong...)
}

// labelFlags say labels as the program's flags do; there are none without a label.
func labelFlags(labels map[string]string) []string {
	var flags []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		flags = append(flags, "--node-labels", key+"="+labels[key])
	}
	return flags
}
