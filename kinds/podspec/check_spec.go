package podspec

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// check applies every rule on a pod spec, in the order in which users see the errors.
func (c *checker) check(path *field.Path) {
	spec := c.spec
	if spec.TerminationGracePeriodSeconds == nil {
		c.required(path.Child("terminationGracePeriodSeconds"), "")
	}
	c.checkVolumes(path.Child("volumes"))
	c.checkResourceClaims(path.Child("resourceClaims"))
	c.checkContainers(path.Child("containers"))
	c.checkInitContainers(path.Child("initContainers"))
	c.checkEphemeralContainers(path.Child("ephemeralContainers"))
	c.checkPodResources(path.Child("resources"))
	c.checkHostNetworkPorts(path.Child("containers"))
	requireOneOf(c, path.Child("restartPolicy"), spec.RestartPolicy, corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)
	requireOneOf(c, path.Child("dnsPolicy"), spec.DNSPolicy, corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)
	c.addAll(metav1validation.ValidateLabels(spec.NodeSelector, path.Child("nodeSelector")))
	c.checkPodSecurityContext(path.Child("securityContext"))
	c.checkAffinity(path.Child("affinity"))
	c.checkDNSConfig(path.Child("dnsConfig"))
	c.checkGates(path)
	c.checkSpread(path.Child("topologySpreadConstraints"))
	c.checkHostProcess(path)
	c.checkHostUsers(path)
	c.checkHostname(path)
	c.checkNames(path)
	c.checkTolerations(path.Child("tolerations"), spec.Tolerations)
	c.checkHostAliases(path.Child("hostAliases"))
	c.checkPriority(path)
	if spec.Overhead != nil {
		c.checkResources(path.Child("overhead"), &corev1.ResourceRequirements{Limits: spec.Overhead}, meta.ContainerResourceName)
	}
	c.checkOS(path)
	c.checkEnvFiles(path)
}

// checkNames wants the names of other objects, and of the pod itself, to be names.
func (c *checker) checkNames(path *field.Path) {
	spec := c.spec
	if name := spec.ServiceAccountName; name != "" {
		c.each(path.Child("serviceAccountName"), name, validation.ValidateServiceAccountName(name, false))
	}
	if name := spec.NodeName; name != "" {
		c.each(path.Child("nodeName"), name, validation.NameIsDNSSubdomain(name, false))
	}
	if s := spec.ActiveDeadlineSeconds; s != nil && (*s < 1 || *s > math.MaxInt32) {
		c.invalid(path.Child("activeDeadlineSeconds"), *s, utilvalidation.InclusiveRangeError(1, math.MaxInt32))
	}
	if spec.Hostname != "" {
		c.addAll(meta.DNSLabel(path.Child("hostname"), spec.Hostname))
	}
	if spec.Subdomain != "" {
		c.addAll(meta.DNSLabel(path.Child("subdomain"), spec.Subdomain))
	}
}

func (c *checker) checkPriority(path *field.Path) {
	spec := c.spec
	if name := spec.PriorityClassName; name != "" {
		c.each(path.Child("priorityClassName"), name, validation.NameIsDNSSubdomain(name, false))
	}
	if name := spec.RuntimeClassName; name != nil {
		c.each(path.Child("runtimeClassName"), *name, validation.NameIsDNSSubdomain(*name, false))
	}
	if spec.PreemptionPolicy != nil {
		requireOneOf(c, path.Child("preemptionPolicy"), *spec.PreemptionPolicy, corev1.PreemptLowerPriority, corev1.PreemptNever)
	}
}

func (c *checker) checkResourceClaims(path *field.Path) {
	for _, claim := range c.spec.ResourceClaims {
		if claim.Name != "" {
			c.claims.Insert(claim.Name)
		}
	}
	seen := map[string]bool{}
	for i, claim := range c.spec.ResourceClaims {
		at := path.Index(i)
		if c.isMirror {
			c.forbidden(field.NewPath(""), "static pods do not support resource claims")
			continue
		}
		switch {
		case claim.Name == "":
			c.required(at.Child("name"), "")
		case seen[claim.Name]:
			c.duplicate(at.Child("name"), claim.Name)
		default:
			c.addAll(meta.DNSLabel(at.Child("name"), claim.Name))
			seen[claim.Name] = true
		}
		name, template := claim.ResourceClaimName, claim.ResourceClaimTemplateName
		switch {
		case name != nil && template != nil:
			c.invalid(at, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
		case name == nil && template == nil:
			c.invalid(at, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
		}
		if name != nil {
			c.each(at.Child("resourceClaimName"), *name, validation.NameIsDNSSubdomain(*name, false))
		}
		if template != nil {
			c.each(at.Child("resourceClaimTemplateName"), *template, validation.NameIsDNSSubdomain(*template, false))
		}
	}
}
