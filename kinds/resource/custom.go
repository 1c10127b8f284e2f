package resource

import (
	"context"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Custom says how objects of a kind that users defined are read, shown and kept: their form is known only while the cluster
// runs. All versions of a definition share one table, and each is a row of its own, for rules, columns and subresources are
// a version's. So the rules of such a row, other than those of built-in kinds, are applied to objects of its own version,
// and what is stored is turned into that version first.
//
// Objects are *unstructured.Unstructured. A stored one names the version that it was written in, which need not be today's.
type Custom struct {
	// Epoch differs between any two rows that may show one stored object differently. Never 0.
	Epoch    uint64
	ListKind string
	// Storage is the version in which objects are kept today; it may be the row itself, and it may not be served.
	Storage *Resource
	// Versions are those that are served, the preferred one first.
	Versions []*Resource
	// Defined are all versions of the definition, served or not, in its order.
	Defined []*Resource
	// Listed: discovery tells of the kind.
	Listed bool
	// Terminating: the definition is being deleted, and nothing is created any more.
	Terminating bool
	// CallsOut: a webhook converts between the versions.
	CallsOut bool
	// Replaced is closed when the row is no longer current: what streams by it ends.
	Replaced <-chan struct{}

	// Validate says what is wrong with a new object, or with a change, if old is not nil, through a door of the row, or none. It
	// stands for the rules of the row and its door, and ends with the context: those of a definition may take long. What it only
	// warns of goes to the context's recorder.
	Validate func(ctx context.Context, obj, old Object, door *Subresource) field.ErrorList
	// Admit drops of what a client sent the fields that the schema has not, and gives their paths if paths says so.
	Admit func(obj Object, paths bool) (unknown []string, err error)
	// Show turns stored objects, which become its own, into this version's.
	Show func(stored []Object) ([]Object, error)
	// Keep turns an object of this version, which becomes its own, into one of Storage.
	Keep func(obj Object) (Object, error)
	// Convert turns an object of any version of the kind, which becomes its own, into one of another.
	Convert func(obj Object, version string) (Object, error)
	// Schema is the version's OpenAPI schema, for documents of OpenAPI 2 or 3. It refers to "#/definitions/..." of metadata.
	Schema func(v2 bool) *spec.Schema
	// Digest is of all that Schema depends on.
	Digest func() string
	// PreservesUnknown: no field is unknown.
	PreservesUnknown bool

	// Kept is where package patch keeps what it works out for the row, for as long as there is the row.
	Kept sync.Map
}

// Stored is the row of the version in which the objects are kept.
func (r *Resource) Stored() *Resource {
	if r.Custom != nil {
		return r.Custom.Storage
	}
	return r
}

// ListKind names lists of the kind.
func (r *Resource) ListKind() string {
	if r.Custom != nil {
		return r.Custom.ListKind
	}
	return r.Kind + "List"
}

// ModelName is how OpenAPI documents name the definition of a custom kind: the group's parts turned around.
func ModelName(gvk schema.GroupVersionKind) string {
	parts := strings.Split(gvk.Group, ".")
	slices.Reverse(parts)
	return strings.Join(append(parts, gvk.Version, gvk.Kind), ".")
}
