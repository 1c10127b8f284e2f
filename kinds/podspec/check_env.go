package podspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func (c *checker) checkEnv(path *field.Path, env []corev1.EnvVar) {
	for i, e := range env {
		at := path.Index(i)
		if e.Name == "" {
			c.required(at.Child("name"), "")
		} else {
			c.each(at.Child("name"), e.Name, utilvalidation.IsRelaxedEnvVarName(e.Name))
		}
		if e.ValueFrom != nil {
			c.checkEnvSource(at.Child("valueFrom"), e.ValueFrom, e.Value != "")
		}
	}
}

func (c *checker) checkEnvSource(path *field.Path, from *corev1.EnvVarSource, hasValue bool) {
	sources := 0
	if from.FieldRef != nil {
		sources++
		c.checkFieldRef(path.Child("fieldRef"), from.FieldRef, envFields[:])
	}
	if from.ResourceFieldRef != nil {
		sources++
		c.checkResourceFieldRef(path.Child("resourceFieldRef"), from.ResourceFieldRef, false)
	}
	if ref := from.ConfigMapKeyRef; ref != nil {
		sources++
		c.checkKeyRef(path.Child("configMapKeyRef"), ref.Name, ref.Key)
	}
	if ref := from.SecretKeyRef; ref != nil {
		sources++
		c.checkKeyRef(path.Child("secretKeyRef"), ref.Name, ref.Key)
	}
	if from.FileKeyRef != nil {
		sources++
		c.checkFileKeyRef(path.Child("fileKeyRef"), from.FileKeyRef)
	}
	switch {
	case sources == 0:
		c.invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`")
	case hasValue:
		c.invalid(path, "", "may not be specified when `value` is not empty")
	case sources > 1:
		c.invalid(path, "", "may not have more than one field specified at a time")
	}
}

func (c *checker) checkKeyRef(path *field.Path, name, key string) {
	c.each(path.Child("name"), name, validation.NameIsDNSSubdomain(name, false))
	if key == "" {
		c.required(path.Child("key"), "")
		return
	}
	c.each(path.Child("key"), key, utilvalidation.IsConfigMapKey(key))
}

func (c *checker) checkFileKeyRef(path *field.Path, ref *corev1.FileKeySelector) {
	if ref.Key == "" {
		c.required(path.Child("key"), "")
	} else {
		c.each(path.Child("key"), ref.Key, utilvalidation.IsRelaxedEnvVarName(ref.Key))
	}
	if ref.VolumeName == "" {
		c.required(path.Child("volumeName"), "")
	} else {
		c.addAll(meta.DNSLabel(path.Child("volumeName"), ref.VolumeName))
	}
	if ref.Path == "" {
		c.required(path.Child("path"), "")
	} else {
		c.checkNoBacksteps(path.Child("path"), ref.Path)
	}
}

// checkEnvFiles: variables come from files of emptyDir volumes only.
func (c *checker) checkEnvFiles(path *field.Path) {
	sources := map[string]*corev1.VolumeSource{}
	for i := range c.spec.Volumes {
		sources[c.spec.Volumes[i].Name] = &c.spec.Volumes[i].VolumeSource
	}
	for _, container := range c.containers(path) {
		for i, e := range container.Env {
			if e.ValueFrom == nil || e.ValueFrom.FileKeyRef == nil {
				continue
			}
			name := e.ValueFrom.FileKeyRef.VolumeName
			at := container.path.Child("env").Index(i).Child("valueFrom", "fileKeyRef", "volumeName")
			if source := sources[name]; source == nil {
				c.notFound(at, name)
			} else if source.EmptyDir == nil {
				c.invalid(at, name, "referenced volume must be of type emptyDir")
			}
		}
	}
}

func (c *checker) checkEnvFrom(path *field.Path, list []corev1.EnvFromSource) {
	for i, from := range list {
		at := path.Index(i)
		if from.Prefix != "" {
			c.each(at.Child("prefix"), from.Prefix, utilvalidation.IsRelaxedEnvVarName(from.Prefix))
		}
		sources := 0
		if from.ConfigMapRef != nil {
			sources++
			c.checkReference(at.Child("configMapRef", "name"), from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			sources++
			c.checkReference(at.Child("secretRef", "name"), from.SecretRef.Name)
		}
		switch {
		case sources == 0:
			c.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
		case sources > 1:
			c.invalid(path, "", "may not have more than one field specified at a time")
		}
	}
}

// checkReference takes prefixes of names too, as upstream does for envFrom.
func (c *checker) checkReference(path *field.Path, name string) {
	if name == "" {
		c.required(path, "")
		return
	}
	c.each(path, name, validation.NameIsDNSSubdomain(name, true))
}

// Fields of a pod that its containers may learn, sorted as users are shown them.
var (
	envFields = [...]string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
	}
	volumeFields = [...]string{"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
	otherFields  = [...]string{"spec.restartPolicy", "spec.schedulerName", "status.phase"}
	resources    = [...]string{
		"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
	}
)

func (c *checker) checkFieldRef(path *field.Path, ref *corev1.ObjectFieldSelector, allowed []string) {
	if ref.APIVersion == "" {
		c.required(path.Child("apiVersion"), "")
		return
	}
	if ref.FieldPath == "" {
		c.required(path.Child("fieldPath"), "")
		return
	}
	name, subscript, subscripted := SplitSubscript(ref.FieldPath)
	if problem := fieldProblem(ref.APIVersion, ref.FieldPath, name, subscripted); problem != "" {
		c.invalid(path.Child("fieldPath"), ref.FieldPath, "error converting fieldPath: "+problem)
		return
	}
	if name == "spec.host" { // the name of old
		name = "spec.nodeName"
	}
	switch {
	case subscripted && name == "metadata.annotations":
		c.addAll(meta.QualifiedName(path, strings.ToLower(subscript)))
	case subscripted:
		c.addAll(meta.QualifiedName(path, subscript))
	case !slices.Contains(allowed, name):
		c.add(field.NotSupported(path.Child("fieldPath"), name, allowed))
	}
}

func fieldProblem(version, whole, name string, subscripted bool) string {
	switch {
	case version != "v1":
		return "unsupported pod version: " + version
	case subscripted && name != "metadata.annotations" && name != "metadata.labels":
		return "field label does not support subscript: " + whole
	case subscripted || name == "spec.host":
		return ""
	case !slices.Contains(envFields[:], name) && !slices.Contains(volumeFields[:], name) && !slices.Contains(otherFields[:], name):
		return "field label not supported: " + whole
	}
	return ""
}

// SplitSubscript splits the field path metadata.labels['key'] into metadata.labels and key.
func SplitSubscript(path string) (name, subscript string, subscripted bool) {
	rest, ok := strings.CutSuffix(path, "']")
	if !ok {
		return path, "", false
	}
	name, subscript, ok = strings.Cut(rest, "['")
	if !ok || name == "" {
		return path, "", false
	}
	return name, subscript, true
}

func (c *checker) checkResourceFieldRef(path *field.Path, ref *corev1.ResourceFieldSelector, inVolume bool) {
	switch {
	case inVolume && ref.ContainerName == "":
		c.required(path.Child("containerName"), "")
	case ref.Resource == "":
		c.required(path.Child("resource"), "")
	case !slices.Contains(resources[:], ref.Resource) && !isHugePagesField(ref.Resource):
		c.add(field.NotSupported(path.Child("resource"), ref.Resource, resources[:]))
	}
	if ref.Divisor.IsZero() {
		return
	}
	sizes := []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
	what := ""
	switch _, kind, _ := strings.Cut(ref.Resource, "."); {
	case kind == "cpu":
		if !slices.Contains([]string{"1m", "1"}, ref.Divisor.String()) {
			c.invalid(path.Child("divisor"), ref.Resource, "only divisor's values 1m and 1 are supported with the cpu resource")
		}
		return
	case kind == "memory":
		what = "memory"
	case kind == "ephemeral-storage":
		what = "local ephemeral storage"
	case isHugePagesField(ref.Resource):
		what = "hugepages"
	default:
		return
	}
	if !slices.Contains(sizes, ref.Divisor.String()) {
		c.invalid(path.Child("divisor"), ref.Resource, "only divisor's values "+strings.Join(sizes, ", ")+" are supported with the "+what+" resource")
	}
}

func isHugePagesField(name string) bool {
	return strings.HasPrefix(name, "requests.hugepages-") || strings.HasPrefix(name, "limits.hugepages-")
}
