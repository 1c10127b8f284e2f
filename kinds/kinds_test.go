package kinds_test

import (
	"testing"

	"proa/kinds"
)

func TestBuiltin(t *testing.T) {
	scheme := kinds.NewScheme()
	for _, row := range kinds.Builtin().Rows() {
		if _, _, err := scheme.ObjectKinds(row.New()); err != nil {
			t.Error(err)
		}
	}
}
