package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checker collects what is wrong with one pod spec. Each rule is a method that appends; none stops the others, so that a
// user sees all mistakes at once, in the order of the rules in check.
//
// Upstream lets an update keep old values that newer rules would refuse. Nothing stored here was ever accepted by an
// older set of rules, so all rules hold always.
type checker struct {
	errs field.ErrorList

	spec *corev1.PodSpec
	// isPod: the spec is a pod's, not a template's; a few rules hold for pods only.
	isPod bool
	// podName names the pod, if it has a name yet: claims of ephemeral volumes are named after it.
	podName string
	// isMirror: the pod stands for one that a node runs from a file.
	isMirror bool

	volumes map[string]*corev1.VolumeSource // those without errors, by name
	claims  sets.Set[string]                // names of spec.resourceClaims
}

func newChecker(spec *corev1.PodSpec) *checker {
	return &checker{spec: spec, volumes: map[string]*corev1.VolumeSource{}, claims: sets.Set[string]{}}
}

func (c *checker) add(errs ...*field.Error)    { c.errs = append(c.errs, errs...) }
func (c *checker) addAll(errs field.ErrorList) { c.errs = append(c.errs, errs...) }

func (c *checker) invalid(path *field.Path, value any, detail string) {
	c.add(field.Invalid(path, value, detail))
}

func (c *checker) required(path *field.Path, detail string)  { c.add(field.Required(path, detail)) }
func (c *checker) forbidden(path *field.Path, detail string) { c.add(field.Forbidden(path, detail)) }
func (c *checker) duplicate(path *field.Path, value any)     { c.add(field.Duplicate(path, value)) }
func (c *checker) notFound(path *field.Path, value any)      { c.add(field.NotFound(path, value)) }

// each refuses the value once for every message.
func (c *checker) each(path *field.Path, value any, messages []string) {
	for _, message := range messages {
		c.invalid(path, value, message)
	}
}

// notEmpty requires a text.
func (c *checker) notEmpty(path *field.Path, text string) {
	if text == "" {
		c.required(path, "")
	}
}

// forbidIf refuses a field that is set where it may not be.
func (c *checker) forbidIf(set bool, path *field.Path, detail string) {
	if set {
		c.forbidden(path, detail)
	}
}

// oneOf refuses a value that is not among the valid ones; valid is in the order that users are shown.
func oneOf[T ~string](c *checker, path *field.Path, value T, valid ...T) {
	for _, v := range valid {
		if v == value {
			return
		}
	}
	c.add(field.NotSupported(path, value, valid))
}

// requireOneOf is oneOf where an empty value is a missing one.
func requireOneOf[T ~string](c *checker, path *field.Path, value T, valid ...T) {
	if value == "" {
		c.required(path, "")
		return
	}
	oneOf(c, path, value, valid...)
}

// at is a container and where it stands.
type at struct {
	*corev1.Container
	kind ContainerType
	path *field.Path
}

// containers lists all containers with their paths, in the order init, regular, ephemeral.
func (c *checker) containers(path *field.Path) []at {
	list := make([]at, 0, len(c.spec.InitContainers)+len(c.spec.Containers)+len(c.spec.EphemeralContainers))
	lists := [...]*field.Path{
		InitContainer: path.Child("initContainers"), RegularContainer: path.Child("containers"), EphemeralContainer: path.Child("ephemeralContainers"),
	}
	index := [len(lists)]int{}
	for container, kind := range Containers(c.spec) {
		list = append(list, at{container, kind, lists[kind].Index(index[kind])})
		index[kind]++
	}
	return list
}
