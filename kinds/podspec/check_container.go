package podspec

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func (c *checker) checkContainers(path *field.Path) {
	if len(c.spec.Containers) == 0 {
		c.required(path, "")
		return
	}
	names, taken := map[string]bool{}, hostPorts{}
	for i := range c.spec.Containers {
		container, at := &c.spec.Containers[i], path.Index(i)
		c.checkContainer(at, container)
		if names[container.Name] {
			c.duplicate(at.Child("name"), container.Name)
		}
		names[container.Name] = true
		c.checkRunning(at, container)
		c.checkRestartPolicy(at, container)
	}
	for i := range c.spec.Containers {
		taken.check(c, path.Index(i).Child("ports"), c.spec.Containers[i].Ports)
	}
}

func (c *checker) checkInitContainers(path *field.Path) {
	names := map[string]bool{}
	for i := range c.spec.Containers {
		names[c.spec.Containers[i].Name] = true
	}
	for i := range c.spec.InitContainers {
		container, at := &c.spec.InitContainers[i], path.Index(i)
		c.checkContainer(at, container)
		c.checkInitRestartPolicy(at, container)
		if names[container.Name] {
			c.duplicate(at.Child("name"), container.Name)
		} else if container.Name != "" {
			names[container.Name] = true
		}
		// Upstream reports ports of every init container at index 0.
		hostPorts{}.check(c, path.Index(0).Child("ports"), container.Ports)
		if IsSidecar(container) {
			c.checkRunning(at, container)
			continue
		}
		const detail = "may not be set for init containers without restartPolicy=Always"
		c.forbidIf(container.Lifecycle != nil, at.Child("lifecycle"), detail)
		c.forbidIf(container.LivenessProbe != nil, at.Child("livenessProbe"), detail)
		c.forbidIf(container.ReadinessProbe != nil, at.Child("readinessProbe"), detail)
		c.forbidIf(container.StartupProbe != nil, at.Child("startupProbe"), detail)
		for j, policy := range container.ResizePolicy {
			if policy.RestartPolicy == corev1.RestartContainer {
				c.invalid(at.Child("resizePolicy").Index(j).Child("restartPolicy"), policy.RestartPolicy, "must not be set to 'RestartContainer' for non-sidecar initContainers")
			}
		}
	}
}

func (c *checker) checkEphemeralContainers(path *field.Path) {
	others, names := map[string]bool{}, map[string]bool{}
	for _, list := range [][]corev1.Container{c.spec.Containers, c.spec.InitContainers} {
		for i := range list {
			others[list[i].Name], names[list[i].Name] = true, true
		}
	}
	for i := range c.spec.EphemeralContainers {
		ephemeral, at := &c.spec.EphemeralContainers[i], path.Index(i)
		container := (*corev1.Container)(&ephemeral.EphemeralContainerCommon)
		c.checkContainer(at, container)
		c.checkImageTrimmed(at, container.Image)
		if names[ephemeral.Name] {
			c.duplicate(at.Child("name"), ephemeral.Name)
		}
		names[ephemeral.Name] = true
		if target := ephemeral.TargetContainerName; target != "" && !others[target] {
			c.notFound(at.Child("targetContainerName"), target)
		}
		const detail = "cannot be set for an Ephemeral Container"
		c.forbidOthers(at, ephemeral.EphemeralContainerCommon, detail, ephemeralFields())
		for j, mount := range ephemeral.VolumeMounts {
			c.forbidIf(mount.SubPath != "", at.Child("volumeMounts").Index(j).Child("subPath"), detail)
			c.forbidIf(mount.SubPathExpr != "", at.Child("volumeMounts").Index(j).Child("subPathExpr"), detail)
		}
	}
}

// ephemeralFields are the fields that an ephemeral container may have; one that the API gains is refused until it is here.
func ephemeralFields() map[string]bool {
	allowed := map[string]bool{}
	for _, name := range []string{
		"Name", "Image", "Command", "Args", "WorkingDir", "EnvFrom", "Env", "VolumeMounts", "VolumeDevices", "TerminationMessagePath",
		"TerminationMessagePolicy", "ImagePullPolicy", "SecurityContext", "Stdin", "StdinOnce", "TTY",
	} {
		allowed[name] = true
	}
	return allowed
}

// forbidOthers refuses every field of a struct that is set and not allowed.
func (c *checker) forbidOthers(path *field.Path, value any, detail string, allowed map[string]bool) {
	v := reflect.ValueOf(value)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if allowed[name] || v.Field(i).IsZero() {
			continue
		}
		first, size := utf8.DecodeRuneInString(name)
		c.forbidden(path.Child(string(unicode.ToLower(first))+name[size:]), detail)
	}
}

// checkContainer holds the rules for containers of every list.
func (c *checker) checkContainer(path *field.Path, container *corev1.Container) {
	if container.Name == "" {
		c.required(path.Child("name"), "")
	} else {
		c.addAll(meta.DNSLabel(path.Child("name"), container.Name))
	}
	c.notEmpty(path.Child("image"), container.Image)
	requireOneOf(c, path.Child("terminationMessagePolicy"), container.TerminationMessagePolicy,
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)
	c.checkPorts(path.Child("ports"), container.Ports)
	c.checkEnv(path.Child("env"), container.Env)
	c.checkEnvFrom(path.Child("envFrom"), container.EnvFrom)
	c.checkMounts(path.Child("volumeMounts"), container)
	c.checkDevices(path.Child("volumeDevices"), container)
	c.checkPullPolicy(path.Child("imagePullPolicy"), container.ImagePullPolicy)
	c.checkResources(path.Child("resources"), &container.Resources, meta.ContainerResourceName)
	c.checkResizePolicy(path.Child("resizePolicy"), container.ResizePolicy)
	c.checkSecurityContext(path.Child("securityContext"), container.SecurityContext)
}

func (c *checker) checkPullPolicy(path *field.Path, policy corev1.PullPolicy) {
	requireOneOf(c, path, policy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
}

// checkRunning holds the rules for containers that run as long as the pod: regular ones and sidecars.
func (c *checker) checkRunning(path *field.Path, container *corev1.Container) {
	if l := container.Lifecycle; l != nil {
		if l.PostStart != nil {
			c.checkHandler(path.Child("lifecycle", "postStart"), lifecycleHandlers(l.PostStart))
		}
		if l.PreStop != nil {
			c.checkHandler(path.Child("lifecycle", "preStop"), lifecycleHandlers(l.PreStop))
		}
	}
	c.checkProbes(path, container)
}

// checkInitRestartPolicy leaves rules alone that lack the policy they belong to, as upstream does for init containers.
func (c *checker) checkInitRestartPolicy(path *field.Path, container *corev1.Container) {
	if container.RestartPolicy == nil && len(container.RestartPolicyRules) > 0 {
		c.required(path.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")
		return
	}
	c.checkRestartPolicy(path, container)
}

// checkRestartPolicy is about a container's own restart policy and rules (KEP-5307, KEP-5532).
func (c *checker) checkRestartPolicy(path *field.Path, container *corev1.Container) {
	policy, rules := container.RestartPolicy, container.RestartPolicyRules
	at := path.Child("restartPolicy")
	switch {
	case policy != nil:
		oneOf(c, at, *policy, corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	case len(rules) > 0:
		c.required(at, "must specify restartPolicy when restart rules are used")
	}
	if len(rules) > maxRestartRules {
		c.add(field.TooMany(path.Child("restartPolicyRules"), len(rules), maxRestartRules))
	}
	for i, rule := range rules {
		at := path.Child("restartPolicyRules").Index(i)
		oneOf(c, at.Child("action"), rule.Action, corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)
		if rule.ExitCodes == nil {
			c.required(at.Child("exitCodes"), "must be specified")
			continue
		}
		oneOf(c, at.Child("exitCodes", "operator"), rule.ExitCodes.Operator, corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)
		if n := len(rule.ExitCodes.Values); n > maxExitCodes {
			c.add(field.TooMany(at.Child("exitCodes", "values"), n, maxExitCodes))
		}
	}
}

const (
	maxRestartRules = 20
	maxExitCodes    = 255
)

// checkImagesTrimmed holds for pods only: templates may carry a placeholder.
func (c *checker) checkImagesTrimmed(path *field.Path) {
	for i := range c.spec.Containers {
		c.checkImageTrimmed(path.Child("containers").Index(i), c.spec.Containers[i].Image)
	}
	for i := range c.spec.InitContainers {
		c.checkImageTrimmed(path.Child("initContainers").Index(i), c.spec.InitContainers[i].Image)
	}
}

func (c *checker) checkImageTrimmed(path *field.Path, image string) {
	if image != strings.TrimSpace(image) {
		c.invalid(path.Child("image"), image, "must not have leading or trailing whitespace")
	}
}
