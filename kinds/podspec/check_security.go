package podspec

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (c *checker) checkPodSecurityContext(path *field.Path) {
	s := c.spec.SecurityContext
	if s == nil {
		return
	}
	if id := s.FSGroup; id != nil {
		c.each(path.Child("fsGroup"), *id, utilvalidation.IsValidGroupID(*id))
	}
	c.checkUser(path, s.RunAsUser, s.RunAsGroup)
	for i, id := range s.SupplementalGroups {
		c.each(path.Child("supplementalGroups").Index(i), id, utilvalidation.IsValidGroupID(id))
	}
	if share := c.spec.ShareProcessNamespace; share != nil && *share && c.spec.HostPID {
		c.invalid(path.Child("shareProcessNamespace"), *share, "ShareProcessNamespace and HostPID cannot both be enabled")
	}
	c.checkSysctls(path.Child("sysctls"), s.Sysctls)
	if s.FSGroupChangePolicy != nil {
		oneOf(c, path.Child("fsGroupChangePolicy"), *s.FSGroupChangePolicy, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)
	}
	c.checkSeccomp(path.Child("seccompProfile"), s.SeccompProfile)
	c.checkWindowsOptions(path.Child("windowsOptions"), s.WindowsOptions)
	c.checkAppArmor(path.Child("appArmorProfile"), s.AppArmorProfile)
	if s.SupplementalGroupsPolicy != nil {
		oneOf(c, path.Child("supplementalGroupsPolicy"), *s.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)
	}
	if s.SELinuxChangePolicy != nil { // MountOption needs the SELinuxMount gate, off by default
		oneOf(c, path.Child("seLinuxChangePolicy"), *s.SELinuxChangePolicy, corev1.SELinuxChangePolicyRecursive)
	}
}

func (c *checker) checkUser(path *field.Path, user, group *int64) {
	if user != nil {
		c.each(path.Child("runAsUser"), *user, utilvalidation.IsValidUserID(*user))
	}
	if group != nil {
		c.each(path.Child("runAsGroup"), *group, utilvalidation.IsValidGroupID(*group))
	}
}

func (c *checker) checkSecurityContext(path *field.Path, s *corev1.SecurityContext) {
	if s == nil {
		return
	}
	c.checkUser(path, s.RunAsUser, s.RunAsGroup)
	if s.ProcMount != nil {
		oneOf(c, path.Child("procMount"), *s.ProcMount, corev1.DefaultProcMount, corev1.UnmaskedProcMount)
		if *s.ProcMount == corev1.UnmaskedProcMount && c.usesHostUsers() {
			c.invalid(path.Child("procMount"), *s.ProcMount, "`hostUsers` must be false to use `Unmasked`")
		}
	}
	c.checkSeccomp(path.Child("seccompProfile"), s.SeccompProfile)
	if s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation {
		if isPrivileged(s) {
			c.invalid(path, s, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
		}
		if s.Capabilities != nil {
			for _, capability := range s.Capabilities.Add {
				if capability == "CAP_SYS_ADMIN" {
					c.invalid(path, s, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")
				}
			}
		}
	}
	c.checkWindowsOptions(path.Child("windowsOptions"), s.WindowsOptions)
	c.checkAppArmor(path.Child("appArmorProfile"), s.AppArmorProfile)
}

// usesHostUsers: users in the pod are the host's, not those of a user namespace (KEP-127).
func (c *checker) usesHostUsers() bool { return c.spec.HostUsers == nil || *c.spec.HostUsers }

func (c *checker) checkHostUsers(path *field.Path) {
	if c.usesHostUsers() {
		return
	}
	const detail = "when `hostUsers` is false"
	c.forbidIf(c.spec.HostNetwork, path.Child("hostNetwork"), detail)
	c.forbidIf(c.spec.HostPID, path.Child("HostPID"), detail)
	c.forbidIf(c.spec.HostIPC, path.Child("HostIPC"), detail)
	for _, container := range c.containers(path) {
		c.forbidIf(len(container.VolumeDevices) > 0, container.path.Child("volumeDevices"), detail)
	}
}

func (c *checker) checkSeccomp(path *field.Path, profile *corev1.SeccompProfile) {
	if profile == nil {
		return
	}
	if profile.Type == "" {
		c.required(path.Child("type"), "type is required when seccompProfile is set")
	} else {
		oneOf(c, path.Child("type"), profile.Type, corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)
	}
	at := path.Child("localhostProfile")
	switch local := profile.LocalhostProfile; {
	case profile.Type != corev1.SeccompProfileTypeLocalhost:
		if local != nil {
			c.invalid(at, profile, "can only be set when seccomp type is Localhost")
		}
	case local == nil:
		c.required(at, "must be set when seccomp type is Localhost")
	default:
		c.checkDescending(at, *local)
	}
}

func (c *checker) checkAppArmor(path *field.Path, profile *corev1.AppArmorProfile) {
	if profile == nil {
		return
	}
	at, local := path.Child("localhostProfile"), profile.LocalhostProfile
	switch profile.Type {
	case corev1.AppArmorProfileTypeLocalhost:
		const missing = "must be set when AppArmor type is Localhost"
		if local == nil {
			c.required(at, missing)
			return
		}
		if *local != strings.TrimSpace(*local) {
			c.invalid(at, *local, "must not be padded with whitespace")
		} else if *local == "" {
			c.required(at, missing)
		}
		if len(*local) > maxLocalProfileLength {
			c.add(field.TooLong(at, "", maxLocalProfileLength))
		}
	case corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined:
		if local != nil {
			c.invalid(at, local, "can only be set when AppArmor type is Localhost")
		}
	case "":
		c.required(path.Child("type"), "type is required when appArmorProfile is set")
	default:
		oneOf(c, path.Child("type"), profile.Type, corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
	}
}

const maxSysctlLength = 253

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

func (c *checker) checkSysctls(path *field.Path, sysctls []corev1.Sysctl) {
	seen := map[string]bool{}
	for i, s := range sysctls {
		at := path.Index(i).Child("name")
		switch {
		case s.Name == "":
			c.required(at, "")
		case len(s.Name) > maxSysctlLength || !sysctlName.MatchString(s.Name):
			c.invalid(at, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctlLength, sysctlName))
		case seen[s.Name]:
			c.duplicate(at, s.Name)
		}
		seen[s.Name] = true
		switch namespace := SysctlNamespace(s.Name); {
		case namespace == NetworkSysctl && c.spec.HostNetwork:
			c.invalid(at, s.Name, "may not be specified when 'hostNetwork' is true")
		case namespace == IPCSysctl && c.spec.HostIPC:
			c.invalid(at, s.Name, "may not be specified when 'hostIPC' is true")
		}
	}
}
