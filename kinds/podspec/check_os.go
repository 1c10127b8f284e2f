package podspec

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (c *checker) checkOS(path *field.Path) {
	os := c.spec.OS
	if os == nil {
		return
	}
	switch os.Name {
	case "":
		c.required(path.Child("os", "name"), "")
	case corev1.Linux:
		const detail = "windows options cannot be set for a linux pod"
		s := c.spec.SecurityContext
		c.forbidIf(s != nil && s.WindowsOptions != nil, path.Child("securityContext", "windowsOptions"), detail)
		for _, container := range c.containers(path) {
			s := container.SecurityContext
			c.forbidIf(s != nil && s.WindowsOptions != nil, container.path.Child("securityContext", "windowsOptions"), detail)
		}
	case corev1.Windows:
		c.checkWindows(path)
	default:
		oneOf(c, path.Child("os"), os.Name, corev1.Linux, corev1.Windows)
	}
}

// checkWindows refuses what only Linux has.
func (c *checker) checkWindows(path *field.Path) {
	const detail = "cannot be set for a windows pod"
	if s := c.spec.SecurityContext; s != nil {
		at := path.Child("securityContext")
		c.forbidIf(s.AppArmorProfile != nil, at.Child("appArmorProfile"), detail)
		c.forbidIf(s.SELinuxOptions != nil, at.Child("seLinuxOptions"), detail)
		c.forbidIf(c.spec.HostUsers != nil, path.Child("hostUsers"), detail)
		c.forbidIf(c.spec.HostPID, path.Child("hostPID"), detail)
		c.forbidIf(c.spec.HostIPC, path.Child("hostIPC"), detail)
		c.forbidIf(s.SeccompProfile != nil, at.Child("seccompProfile"), detail)
		c.forbidIf(s.FSGroup != nil, at.Child("fsGroup"), detail)
		c.forbidIf(s.FSGroupChangePolicy != nil, at.Child("fsGroupChangePolicy"), detail)
		c.forbidIf(len(s.Sysctls) > 0, at.Child("sysctls"), detail)
		c.forbidIf(c.spec.ShareProcessNamespace != nil, path.Child("shareProcessNamespace"), detail)
		c.forbidIf(s.RunAsUser != nil, at.Child("runAsUser"), detail)
		c.forbidIf(s.RunAsGroup != nil, at.Child("runAsGroup"), detail)
		c.forbidIf(s.SupplementalGroups != nil, at.Child("supplementalGroups"), detail)
		c.forbidIf(s.SupplementalGroupsPolicy != nil, at.Child("supplementalGroupsPolicy"), detail)
		c.forbidIf(s.SELinuxChangePolicy != nil, at.Child("seLinuxChangePolicy"), detail)
	}
	for _, container := range c.containers(path) {
		s, at := container.SecurityContext, container.path.Child("securityContext")
		if s == nil {
			continue
		}
		c.forbidIf(s.AppArmorProfile != nil, at.Child("appArmorProfile"), detail)
		c.forbidIf(s.SELinuxOptions != nil, at.Child("seLinuxOptions"), detail)
		c.forbidIf(s.SeccompProfile != nil, at.Child("seccompProfile"), detail)
		c.forbidIf(s.Capabilities != nil, at.Child("capabilities"), detail)
		c.forbidIf(s.ReadOnlyRootFilesystem != nil, at.Child("readOnlyRootFilesystem"), detail)
		c.forbidIf(s.Privileged != nil, at.Child("privileged"), detail)
		c.forbidIf(s.AllowPrivilegeEscalation != nil, at.Child("allowPrivilegeEscalation"), detail)
		c.forbidIf(s.ProcMount != nil, at.Child("procMount"), detail)
		c.forbidIf(s.RunAsUser != nil, at.Child("runAsUser"), detail)
		c.forbidIf(s.RunAsGroup != nil, at.Child("runAsGroup"), detail)
	}
}

const maxGMSASpecKiB = 64

func (c *checker) checkWindowsOptions(path *field.Path, o *corev1.WindowsSecurityContextOptions) {
	if o == nil {
		return
	}
	if name := o.GMSACredentialSpecName; name != nil {
		c.each(path.Child("gmsaCredentialSpecName"), *name, utilvalidation.IsDNS1123Subdomain(*name))
	}
	if spec := o.GMSACredentialSpec; spec != nil {
		switch at := path.Child("gmsaCredentialSpec"); {
		case *spec == "":
			c.invalid(at, spec, "gmsaCredentialSpec cannot be an empty string")
		case len(*spec) > maxGMSASpecKiB*1024:
			c.invalid(at, spec, fmt.Sprintf("gmsaCredentialSpec size must be under %d KiB", maxGMSASpecKiB))
		}
	}
	if o.RunAsUserName != nil {
		for _, problem := range windowsUserProblems(*o.RunAsUserName) {
			c.invalid(path.Child("runAsUserName"), *o.RunAsUserName, "runAsUserName"+problem)
		}
	}
}

// What Windows takes for names of users and domains.
const (
	maxWindowsDomain = 256
	maxWindowsUser   = 104
)

var (
	controlCharacters = regexp.MustCompile(`[[:cntrl:]]+`)
	netBIOSName       = regexp.MustCompile(`^[^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14}$`)
	windowsDNSName    = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
	dotsAndSpaces     = regexp.MustCompile(`^[\. ]+$`)
)

// windowsUserProblems says what is wrong with DOMAIN\user; the domain may be missing.
func windowsUserProblems(name string) []string {
	parts := strings.Split(name, `\`)
	switch {
	case name == "":
		return []string{" cannot be an empty string"}
	case controlCharacters.MatchString(name):
		return []string{" cannot contain control characters"}
	case len(parts) > 2:
		return []string{" cannot contain more than one backslash"}
	}
	var problems []string
	if len(parts) == 2 {
		if len(parts[0]) >= maxWindowsDomain {
			problems = append(problems, fmt.Sprintf("'s Domain length must be under %d characters", maxWindowsDomain))
		}
		if !netBIOSName.MatchString(parts[0]) && !windowsDNSName.MatchString(parts[0]) {
			problems = append(problems, "'s Domain doesn't match the NetBios nor the DNS format")
		}
	}
	user := parts[len(parts)-1]
	if user == "" {
		problems = append(problems, "'s User cannot be empty")
	}
	if len(user) > maxWindowsUser {
		problems = append(problems, fmt.Sprintf("'s User length must not be longer than %d characters", maxWindowsUser))
	}
	if dotsAndSpaces.MatchString(user) {
		problems = append(problems, "'s User cannot contain only periods or spaces")
	}
	if strings.ContainsAny(user, `"/\:;|=,+*?<>@[]`) {
		problems = append(problems, `'s User cannot contain the following characters: "/\:;|=,+*?<>@[]`)
	}
	return problems
}

// checkHostProcess: either all containers run as processes of a Windows host or none does.
func (c *checker) checkHostProcess(path *field.Path) {
	var ofPod *bool
	if s := c.spec.SecurityContext; s != nil && s.WindowsOptions != nil {
		ofPod = s.WindowsOptions.HostProcess
	}
	all := c.containers(path)
	count := 0
	for _, container := range all {
		var own *bool
		if s := container.SecurityContext; s != nil && s.WindowsOptions != nil {
			own = s.WindowsOptions.HostProcess
		}
		if ofPod != nil && own != nil && *ofPod != *own {
			c.invalid(container.path.Child("securityContext", "windowsOptions", "hostProcess"), *own,
				fmt.Sprintf("pod hostProcess value must be identical if both are specified, was %v", *ofPod))
		}
		if own != nil && *own || own == nil && ofPod != nil && *ofPod {
			count++
		}
	}
	if count == 0 {
		return
	}
	if count != len(all) {
		c.invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers")
	}
	if !c.spec.HostNetwork {
		c.invalid(path.Child("hostNetwork"), false, "hostNetwork must be true if pod contains any hostProcess containers")
	}
}
