// Package resource says what one kind of object is to the rest of the system: its names, its rules, its columns.
//
// It decides nothing itself. The folders beside it (core, apps, ...) fill in one Resource per kind, and package kinds
// lists them all. The API server, the clients and discovery are driven by these rows alone.
package resource

import (
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Object is any API object that has metadata. Objects read from a store or a view are shared: DeepCopy before a change.
type Object interface {
	runtime.Object
	metav1.Object
}

// Resource is one row of the table of kinds. Functions that are nil do nothing.
//
// Order of a create: decode, Default, Stamp, admission, PrepareCreate, Validate, store.
// Order of an update: decode, Default, Stamp, admission, PrepareUpdate, ValidateUpdate, store.
// All functions are pure but for changing the object that is named first; they may be called from many goroutines.
type Resource struct {
	Group      string // "" is the core group
	Version    string // the version that is stored, and preferred in discovery
	Name       string // plural, lower case: "pods"
	Singular   string
	Kind       string
	ShortNames []string
	Categories []string // "all"
	Namespaced bool
	Verbs      []string // as in discovery; nil means AllVerbs

	New     func() Object
	NewList func() runtime.Object
	// Unstored, if set, fills in what the stored bytes of an object leave out.
	Unstored func(obj Object)
	// Blank, if set, fills in what upstream's conversion makes of an object that sets nothing, such as bookmarks carry.
	Blank func(obj Object)
	// ConvertedAnnotations are kept as annotations here, and in upstream as fields that its conversion shows as annotations:
	// answers that have only metadata leave them out.
	ConvertedAnnotations []string

	// Default fills in what the client left out. It is applied to everything decoded from a client.
	Default func(obj Object)
	// Stamp is Default for times that are those of the write.
	Stamp func(obj Object, now time.Time)
	// PrepareCreate resets what a client may not set when it creates, such as status.
	PrepareCreate func(obj Object)
	// RecordCreate notes who creates an object, after PrepareCreate.
	RecordCreate func(obj Object, by authenticationv1.UserInfo)
	// PrepareUpdate resets what an update of the main resource may not change, such as status, and
	// sets metadata.generation. obj is the new object, old the stored one.
	PrepareUpdate func(obj, old Object)
	// Validate checks a new object, after defaulting. Metadata in general is checked by the caller with Names.
	Validate func(obj Object) field.ErrorList
	// ValidateUpdate checks a change, including all that Validate would find where upstream does so too.
	ValidateUpdate func(obj, old Object) field.ErrorList
	// Warnings are shown to the user who writes the object; they stop nothing.
	Warnings func(obj, old Object) []string
	// ValidateName says what is wrong with metadata.name (prefix: it is a generateName). nil means DNS subdomain.
	ValidateName func(name string, prefix bool) []string
	// ValidateNameOf is ValidateName where the rule depends on the rest of the object. Optional: it replaces ValidateName.
	ValidateNameOf func(obj Object) func(name string, prefix bool) []string
	// GeneratesNoName: a generateName is the name as it is. Upstream's choice for the kind, whose names are no words.
	GeneratesNoName bool
	// ChecksNameOnce: updates do not apply ValidateName, nor to generateName, which a client may change. Upstream's choice for
	// the kind.
	ChecksNameOnce bool
	// NameLast: updates apply ValidateName after the rules for finalizers, and after ValidateChange. Upstream's order for the kind.
	NameLast bool
	// ValidateChange checks what an update may not change, with NameLast, before the name: all else is ValidateUpdate's.
	ValidateChange func(obj, old Object) field.ErrorList
	// AllowCreateOnUpdate: PUT and apply create what is absent (upstream: true for few, apply creates always).
	AllowCreateOnUpdate bool
	// AllowUnconditionalUpdate: PUT without resourceVersion overwrites. Upstream's choice for the kind.
	AllowUnconditionalUpdate bool
	// GracePeriod, if set, is consulted on delete: it fills in how long deletion waits, 0 if not at all, or nothing if the kind
	// has no such time here.
	GracePeriod func(obj Object, opts *metav1.DeleteOptions)
	// OrphanDependents: a delete that does not say what becomes of dependents leaves them. Upstream's choice for kinds that
	// are older than garbage collection.
	OrphanDependents bool
	// NoDependents: nothing is collected after the object, and a delete that says what becomes of dependents is not heeded.
	NoDependents bool
	// OrphanWarning is shown to who deletes without saying what becomes of dependents, empty if none.
	OrphanWarning string

	Status       *Subresource  // the status subresource, nil if there is none
	Scale        *Scale        // the scale subresource, nil if there is none
	Subresources []Subresource // others that read and write this object; streams and the like are the API server's

	Columns []Column               // kubectl get; the name column is included
	Row     func(obj Object) []any // cells of Columns, same length; see Cells for those that depend on the time

	// Reset lists by subresource ("" is the resource itself) what a write cannot change, and so does not come to own, such
	// as "status.conditions". For those it does not have: the status through the resource, and the spec through the status.
	Reset map[string][]string

	// Fields gives the selectable fields beyond metadata.name and metadata.namespace.
	Fields func(obj Object) fields.Set
	// FieldLabels names the keys of Fields.
	FieldLabels []string
	// FieldRefusal is what is said of any other field, with a verb for its name. Optional: the words of most kinds.
	FieldRefusal string
	// Deprecated is the Warning shown to users of the stored version, empty if none.
	Deprecated string
	// Relaxed: writes need not reach the disk before they are acknowledged. Only for what is rewritten constantly.
	Relaxed bool

	// Served lists further group versions under which the same stored objects are read and written.
	Served []Served
	// Virtual kinds are answered, not stored (reviews): the API server has the function that answers.
	Virtual bool
	// HashedAs is the version that upstream stores, where it is not this one: discovery's hash is of it.
	HashedAs string
	// AnyFinalizer: finalizers need not have a domain. Upstream's choice for the kind.
	AnyFinalizer bool
	// LooseMetadata: of a new object's metadata only what all kinds have in common is checked, and only when nothing else is
	// wrong. Upstream's choice for the kind.
	LooseMetadata bool

	// Custom is set for kinds that users defined, nil for all others.
	Custom *Custom
}

// Served is one more group version of a resource.
type Served struct {
	Group, Version string
	Kind           string // "" means the same as the resource's
	New            func() Object
	NewList        func() runtime.Object
	ToStored       func(Object) (Object, error) // from this version to the stored one
	FromStored     func(Object) (Object, error)
	Default        func(obj Object)
	// DefaultStored sets, on the stored form of what a client sent, the defaults that are this version's.
	DefaultStored func(obj Object)
	// Config turns a configuration that is applied through this version into one of the stored version; it may be partial.
	// nil: the two have the same fields.
	Config     func(config map[string]any)
	Deprecated string // the Warning shown to users, empty if none

	// Validate and ValidateUpdate, if set, replace the row's for what is written through this version. They are given
	// the stored form.
	Validate       func(obj Object) field.ErrorList
	ValidateUpdate func(obj, old Object) field.ErrorList
	// FieldLabels maps this version's selectable fields to the keys of the row's Fields. nil: the row's FieldLabels.
	FieldLabels map[string]string
}

// Subresource is another door to the same object.
type Subresource struct {
	Name           string                  // "status", "resize"
	Verbs          []string                // nil means get, patch, update
	Body           schema.GroupVersionKind // what is written and answered, if not the resource itself: Eviction, TokenRequest
	PrepareUpdate  func(obj, old Object)   // resets what this door may not change, such as spec
	ValidateUpdate func(obj, old Object) field.ErrorList
	NoTables       bool // the object is not shown as a table here. Upstream's choice for the door
	ChecksName     bool // ValidateName holds for updates through this door too
	Warnings       func(obj, old Object) []string

	// RecordUpdate notes when the object is written, after PrepareUpdate.
	RecordUpdate func(obj, old Object, now time.Time)
}

// Scale maps an object to autoscaling/v1 Scale.
type Scale struct {
	Get func(obj Object) (replicas, status int32, selector string)
	Set func(obj Object, replicas int32)
	// Check says why an object cannot be shown as a Scale; nil: all can.
	Check func(obj Object) error
	// SpecPath and StatusPath are field paths, such as ".spec.replicas".
	SpecPath, StatusPath string
}

// Column is one column of kubectl get. See metav1.TableColumnDefinition.
type Column struct {
	Name, Type, Format, Description string
	Priority                        int32 // above 0: only with -o wide
}

// AllVerbs is what a stored resource allows unless its row says otherwise.
var AllVerbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

// Table is the name under which the store keeps the objects: "pods", "deployments.apps".
func (r *Resource) Table() string { return TableName(r.Group, r.Name) }

// TableName is the store's name for a resource of a group: "pods", "deployments.apps".
func TableName(group, name string) string {
	if group == "" {
		return name
	}
	return name + "." + group
}

// GroupVersionKind is the stored version's.
func (r *Resource) GroupVersionKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// GroupResource names the resource as errors do.
func (r *Resource) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Name}
}

// Typed adapts a rule on a concrete kind to the form that Resource holds.
func Typed[T Object, R any](f func(T) R) func(Object) R {
	return func(o Object) R { return f(o.(T)) }
}

// Do adapts a rule that changes a concrete kind.
func Do[T Object](f func(T)) func(Object) { return func(o Object) { f(o.(T)) } }

// Do2 adapts a rule that changes a concrete kind with a view of the stored object.
func Do2[T Object](f func(obj, old T)) func(obj, old Object) {
	return func(o, old Object) { f(o.(T), old.(T)) }
}

// Typed2 adapts a rule on the new and the stored object.
func Typed2[T Object, R any](f func(obj, old T) R) func(obj, old Object) R {
	return func(o, old Object) R { return f(o.(T), old.(T)) }
}
