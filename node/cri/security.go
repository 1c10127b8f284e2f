package cri

import (
	"fmt"
	"path/filepath"
	"slices"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
)

// ImageUser is the user an image runs as: by number, by name, or neither.
type ImageUser struct {
	UID  *int64
	Name string
}

// containerSecurity merges the pod's and the container's security contexts; the container's fields win.
func (s *Settings) containerSecurity(in ContainerParams) (*runtimeapi.LinuxContainerSecurityContext, error) {
	p, c := in.Pod, in.Container
	sc, podSC := c.SecurityContext, p.Spec.SecurityContext
	if sc == nil {
		sc = &v1.SecurityContext{}
	}
	if podSC == nil {
		podSC = &v1.PodSecurityContext{}
	}
	user := first(sc.RunAsUser, podSC.RunAsUser)
	if err := verifyNonRoot(p, c, first(sc.RunAsNonRoot, podSC.RunAsNonRoot), user, in.ImageUser); err != nil {
		return nil, err
	}
	seccomp, err := s.seccomp(first(sc.SeccompProfile, podSC.SeccompProfile))
	if err != nil {
		return nil, err
	}
	policy, err := supplementalGroupsPolicy(podSC)
	if err != nil {
		return nil, err
	}
	out := &runtimeapi.LinuxContainerSecurityContext{
		Capabilities:             capabilities(sc.Capabilities),
		Privileged:               sc.Privileged != nil && *sc.Privileged,
		NamespaceOptions:         containerNamespaces(p, in.TargetID),
		SelinuxOptions:           selinux(first(sc.SELinuxOptions, podSC.SELinuxOptions)),
		RunAsUser:                int64Value(user),
		RunAsGroup:               int64Value(first(sc.RunAsGroup, podSC.RunAsGroup)),
		ReadonlyRootfs:           sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem,
		SupplementalGroups:       supplementalGroups(podSC),
		SupplementalGroupsPolicy: policy,
		NoNewPrivs:               sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation,
		Seccomp:                  seccomp,
		Apparmor:                 apparmor(first(sc.AppArmorProfile, podSC.AppArmorProfile)),
	}
	if out.RunAsUser == nil {
		out.RunAsUser, out.RunAsUsername = int64Value(in.ImageUser.UID), in.ImageUser.Name
	}
	if sc.ProcMount == nil || *sc.ProcMount != v1.UnmaskedProcMount {
		out.MaskedPaths, out.ReadonlyPaths = maskedPaths(), readonlyPaths()
	}
	return out, nil
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func int64Value(v *int64) *runtimeapi.Int64Value {
	if v == nil {
		return nil
	}
	return &runtimeapi.Int64Value{Value: *v}
}

// verifyNonRoot refuses to run what must not run as root, as far as that can be known before it runs.
func verifyNonRoot(p *v1.Pod, c *v1.Container, nonRoot *bool, user *int64, image ImageUser) error {
	if nonRoot == nil || !*nonRoot {
		return nil
	}
	who := fmt.Sprintf("(pod: %q, container: %s)", pod.Describe(p), c.Name)
	switch {
	case user != nil && *user == 0:
		return fmt.Errorf("container's runAsUser breaks non-root policy %s", who)
	case user != nil:
		return nil
	case image.UID == nil && image.Name != "":
		return fmt.Errorf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root %s", image.Name, who)
	case image.UID != nil && *image.UID == 0:
		return fmt.Errorf("container has runAsNonRoot and image will run as root %s", who)
	}
	return nil
}

func (s *Settings) seccomp(profile *v1.SeccompProfile) (*runtimeapi.SecurityProfile, error) {
	switch {
	case profile == nil || profile.Type == v1.SeccompProfileTypeUnconfined:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}, nil
	case profile.Type == v1.SeccompProfileTypeRuntimeDefault:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault}, nil
	case profile.LocalhostProfile == nil || *profile.LocalhostProfile == "":
		return nil, fmt.Errorf("localhostProfile must be set if seccompProfile type is Localhost.")
	case !filepath.IsLocal(*profile.LocalhostProfile):
		return nil, fmt.Errorf("localhostProfile %q must be a relative path below the node's seccomp folder", *profile.LocalhostProfile)
	}
	path := filepath.Join(s.SeccompRoot, *profile.LocalhostProfile)
	return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost, LocalhostRef: path}, nil
}

func apparmor(profile *v1.AppArmorProfile) *runtimeapi.SecurityProfile {
	if profile == nil {
		return nil
	}
	switch profile.Type {
	case v1.AppArmorProfileTypeRuntimeDefault:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault}
	case v1.AppArmorProfileTypeLocalhost:
		if profile.LocalhostProfile != nil {
			return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost, LocalhostRef: *profile.LocalhostProfile}
		}
	}
	return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}
}

func capabilities(c *v1.Capabilities) *runtimeapi.Capability {
	if c == nil {
		return nil
	}
	out := &runtimeapi.Capability{}
	for _, add := range c.Add {
		out.AddCapabilities = append(out.AddCapabilities, string(add))
	}
	for _, drop := range c.Drop {
		out.DropCapabilities = append(out.DropCapabilities, string(drop))
	}
	return out
}

func selinux(o *v1.SELinuxOptions) *runtimeapi.SELinuxOption {
	if o == nil {
		return nil
	}
	return &runtimeapi.SELinuxOption{User: o.User, Role: o.Role, Type: o.Type, Level: o.Level}
}

func supplementalGroups(sc *v1.PodSecurityContext) []int64 {
	var groups []int64
	if sc.FSGroup != nil {
		groups = append(groups, *sc.FSGroup)
	}
	return append(groups, slices.Clone(sc.SupplementalGroups)...)
}

func supplementalGroupsPolicy(sc *v1.PodSecurityContext) (runtimeapi.SupplementalGroupsPolicy, error) {
	if sc.SupplementalGroupsPolicy == nil {
		return runtimeapi.SupplementalGroupsPolicy_Merge, nil
	}
	policy, ok := runtimeapi.SupplementalGroupsPolicy_value[string(*sc.SupplementalGroupsPolicy)]
	if !ok {
		return 0, fmt.Errorf("unsupported supplementalGroupsPolicy: %s", *sc.SupplementalGroupsPolicy)
	}
	return runtimeapi.SupplementalGroupsPolicy(policy), nil
}

func containerNamespaces(p *v1.Pod, targetID string) *runtimeapi.NamespaceOption {
	n := namespaces(p)
	if targetID != "" && n.Pid == runtimeapi.NamespaceMode_CONTAINER {
		n.Pid, n.TargetId = runtimeapi.NamespaceMode_TARGET, targetID
	}
	return n
}

// What a container does not see of /proc and /sys unless it asks for procMount Unmasked; the lists are the API's contract.
func maskedPaths() []string {
	return []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
}

func readonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
