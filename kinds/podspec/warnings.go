package podspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodWarnings are hints on a new pod that is accepted, but perhaps not meant so.
func PodWarnings(pod *corev1.Pod) []string {
	var list []string
	if messages := validation.IsDNS1123Label(pod.Name); len(messages) > 0 {
		list = append(list, fmt.Sprintf("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: %v", messages))
	}
	w := &warner{}
	w.pod(nil, &pod.ObjectMeta, &pod.Spec)
	return append(list, w.list...)
}

// TemplateWarnings are those of PodWarnings that hold for a pod template at path.
func TemplateWarnings(template *corev1.PodTemplateSpec, path *field.Path) []string {
	w := &warner{}
	w.pod(path, &template.ObjectMeta, &template.Spec)
	return w.list
}

// warner collects warnings on one pod spec.
type warner struct{ list []string }

func (w *warner) warn(path *field.Path, format string, args ...any) {
	w.list = append(w.list, path.String()+": "+fmt.Sprintf(format, args...))
}

// pod warns of a pod, or of a template at root, in upstream's order.
func (w *warner) pod(root *field.Path, metadata *metav1.ObjectMeta, spec *corev1.PodSpec) {
	path, annotations := root.Child("spec"), root.Child("metadata", "annotations")
	w.oldLabels(path, spec)
	for _, old := range oldAnnotations {
		if _, set := metadata.Annotations[old.key]; set {
			w.warn(annotations.Key(old.key), "%s", old.text)
		}
	}
	w.volumes(path.Child("volumes"), spec.Volumes)
	w.repeatedNames(spec, path)
	c := newChecker(spec)
	containers := c.containers(path)
	w.oldProfiles(root, annotations, metadata.Annotations, spec)
	for _, container := range containers {
		w.fractions(container.path.Child("resources", "limits"), container.Resources.Limits)
		w.fractions(container.path.Child("resources", "requests"), container.Resources.Requests)
		w.hiddenEnv(container.path.Child("env"), container.Env)
	}
	w.ports(containers)
	if s := spec.TerminationGracePeriodSeconds; s != nil && *s < 0 {
		w.warn(path.Child("terminationGracePeriodSeconds"), "must be >= 0; negative values are invalid and will be treated as 1")
	}
	w.emptySelectors(path.Child("affinity"), spec.Affinity)
	if spec.DNSConfig != nil {
		for i, server := range spec.DNSConfig.Nameservers {
			w.list = append(w.list, validation.GetWarningsForIP(path.Child("dnsConfig", "nameservers").Index(i), server)...)
		}
	}
	for i, alias := range spec.HostAliases {
		w.list = append(w.list, validation.GetWarningsForIP(path.Child("hostAliases").Index(i).Child("ip"), alias.IP)...)
	}
}

func (w *warner) repeatedNames(spec *corev1.PodSpec, path *field.Path) {
	ips, secrets := map[string]bool{}, map[string]bool{}
	for i, alias := range spec.HostAliases {
		if ips[alias.IP] {
			w.warn(path.Child("hostAliases").Index(i).Child("ip"), "duplicate ip %q", alias.IP)
		}
		ips[alias.IP] = true
	}
	for i, secret := range spec.ImagePullSecrets {
		if secrets[secret.Name] {
			w.warn(path.Child("imagePullSecrets").Index(i).Child("name"), "duplicate name %q", secret.Name)
		}
		secrets[secret.Name] = true
	}
	for i, secret := range spec.ImagePullSecrets {
		if secret.Name == "" {
			w.warn(path.Child("imagePullSecrets").Index(i).Child("name"), "invalid empty name %q", secret.Name)
		}
	}
	w.fractions(path.Child("overhead"), spec.Overhead)
}

// fractions: there is no such thing as half a byte.
func (w *warner) fractions(path *field.Path, list corev1.ResourceList) {
	for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if quantity, ok := list[name]; ok && quantity.MilliValue()%1000 != 0 {
			w.warn(path.Key(string(name)), "fractional byte value %q is invalid, must be an integer", quantity.String())
		}
	}
}

// hiddenEnv: a variable may be defined again in terms of itself, but else the first definition is lost.
func (w *warner) hiddenEnv(path *field.Path, env []corev1.EnvVar) {
	seen := map[string]bool{}
	for i, e := range env {
		if !seen[e.Name] {
			seen[e.Name] = true
			continue
		}
		itself := "$(" + e.Name + ")"
		if e.ValueFrom != nil || e.Value == itself || !strings.Contains(e.Value, itself) {
			w.warn(path.Index(i), "hides previous definition of %q, which may be dropped when using apply", e.Name)
		}
	}
}

// portAt is a port of a container and where it stands.
type portAt struct {
	corev1.ContainerPort
	path *field.Path
}

func (w *warner) ports(containers []at) {
	byNumber, byName := map[string][]portAt{}, map[string]*field.Path{}
	var all []portAt
	for _, container := range containers {
		for i, port := range container.Ports {
			all = append(all, portAt{port, container.path.Child("ports").Index(i)})
		}
	}
	for _, p := range all {
		if p.HostIP != "" && p.HostPort == 0 {
			w.warn(p.path, "hostIP set without hostPort: %+v", p.ContainerPort)
		}
		number := fmt.Sprintf("%d/%s", p.ContainerPort.ContainerPort, p.Protocol)
		for _, other := range byNumber[number] {
			switch {
			case p.HostIP == other.HostIP && p.HostPort == other.HostPort:
				w.warn(p.path, "duplicate port definition with %s", other.path)
			case p.HostPort == 0 || other.HostPort == 0:
				w.warn(p.path, "overlapping port definition with %s", other.path)
			case p.HostPort == other.HostPort && (p.HostIP == "" || other.HostIP == ""):
				w.warn(p.path, "dangerously ambiguous port definition with %s", other.path)
			}
		}
		byNumber[number] = append(byNumber[number], p)
	}
	for _, p := range all {
		switch first := byName[p.Name]; {
		case p.Name == "":
		case first == nil:
			byName[p.Name] = p.path
		default:
			w.warn(p.path, "duplicate port name %q with %s, services and probes that select ports by name will use %s", p.Name, first, first)
		}
	}
}
