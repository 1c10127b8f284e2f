package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
)

// ValidatePodStatusUpdate says what is wrong with a changed status, but for the metadata in general.
func ValidatePodStatusUpdate(pod, old *corev1.Pod) field.ErrorList {
	c := newChecker(&pod.Spec)
	c.checkKeptAnnotations(field.NewPath("metadata", "annotations"), pod.Annotations, old.Annotations)
	path, status := field.NewPath("status"), &pod.Status
	c.checkConditions(path.Child("conditions"), status.Conditions)
	c.checkNominated(path.Child("nominatedNodeName"), status.NominatedNodeName, old)
	if status.ObservedGeneration < 0 {
		c.invalid(path.Child("observedGeneration"), status.ObservedGeneration, "must be a non-negative integer")
	}
	c.addAll(validation.ValidateImmutableField(status.QOSClass, old.Status.QOSClass, path.Child("qosClass")))
	for _, list := range statusLists(path, status, &old.Status, &old.Spec) {
		c.checkNotRevived(list)
	}
	c.checkClaimStatuses(path.Child("resourceClaimStatuses"), status.ResourceClaimStatuses)
	c.checkExtendedClaim(path.Child("extendedResourceClaimStatus"), status.ExtendedResourceClaimStatus)
	c.checkPodIPs(path.Child("podIPs"), status.PodIPs, old.Status.PodIPs)
	c.checkHostIPs(path.Child("hostIPs"), status, old.Status.HostIPs)
	for _, list := range statusLists(path, status, &old.Status, &old.Spec) {
		for i := range list.now {
			c.checkContainerUser(list.path.Index(i).Child("user", "linux"), list.now[i].User)
		}
	}
	for _, list := range statusLists(path, status, &old.Status, &pod.Spec) {
		c.checkAllocated(list)
	}
	return c.errs
}

func (c *checker) checkConditions(path *field.Path, conditions []corev1.PodCondition) {
	for i, condition := range conditions {
		if condition.ObservedGeneration < 0 {
			c.invalid(path.Index(i).Child("observedGeneration"), condition.ObservedGeneration, "must be a non-negative integer")
		}
		switch condition.Type {
		case corev1.PodScheduled, corev1.PodReady, corev1.PodInitialized:
		default:
			c.addAll(meta.QualifiedName(path.Index(i).Child("Type"), string(condition.Type)))
		}
	}
}

func (c *checker) checkNominated(path *field.Path, name string, old *corev1.Pod) {
	if name == "" || name == old.Status.NominatedNodeName {
		return
	}
	c.each(path, name, validation.NameIsDNSSubdomain(name, false))
	c.forbidIf(old.Spec.NodeName != "", path, "may not be set on pods that are already bound to a node")
}

// statusList is one list of container statuses, now and before, with the containers that they speak of.
type statusList struct {
	path       *field.Path
	spec       *corev1.PodSpec
	now, old   []corev1.ContainerStatus
	containers []corev1.Container
	ephemeral  bool
}

func statusLists(path *field.Path, now, old *corev1.PodStatus, spec *corev1.PodSpec) []statusList {
	return []statusList{
		{path.Child("containerStatuses"), spec, now.ContainerStatuses, old.ContainerStatuses, spec.Containers, false},
		{path.Child("initContainerStatuses"), spec, now.InitContainerStatuses, old.InitContainerStatuses, spec.InitContainers, false},
		{path.Child("ephemeralContainerStatuses"), spec, now.EphemeralContainerStatuses, old.EphemeralContainerStatuses, nil, true},
	}
}

// checkNotRevived: a container that ended for good stays ended. Ephemeral containers, which list.containers never
// holds, always do.
func (c *checker) checkNotRevived(list statusList) {
	if list.containers != nil && mayRestartAll(list.spec) {
		return
	}
	for i, before := range list.old {
		if before.State.Terminated == nil {
			continue
		}
		revived := false
		for _, now := range list.now {
			if now.Name == before.Name {
				revived = now.State.Terminated == nil
				break
			}
		}
		if revived && !restarts(list, before.Name, before.State.Terminated.ExitCode) {
			c.forbidden(list.path.Index(i).Child("state"), "may not be transitioned to non-terminated state")
		}
	}
}

func restarts(list statusList, name string, exitCode int32) bool {
	for i := range list.containers {
		if list.containers[i].Name == name {
			return ShouldRestart(list.spec, &list.containers[i], exitCode)
		}
	}
	return false
}

func (c *checker) checkPodIPs(path *field.Path, ips, old []corev1.PodIP) {
	var now, before []string
	for _, ip := range ips {
		now = append(now, ip.IP)
	}
	for _, ip := range old {
		before = append(before, ip.IP)
	}
	for i, ip := range now {
		c.addAll(meta.IP(path.Index(i), ip, before))
	}
	c.checkOnePerFamily(path, now, ips)
}

func (c *checker) checkHostIPs(path *field.Path, status *corev1.PodStatus, old []corev1.HostIP) {
	if len(status.HostIPs) == 0 {
		return
	}
	if status.HostIP != status.HostIPs[0].IP {
		c.invalid(path.Index(0).Child("ip"), status.HostIPs[0].IP, "must be equal to `hostIP`")
	}
	var now, before []string
	for _, ip := range status.HostIPs {
		now = append(now, ip.IP)
	}
	for _, ip := range old {
		before = append(before, ip.IP)
	}
	for i, ip := range now {
		c.addAll(meta.IP(path.Index(i), ip, before))
	}
	c.checkOnePerFamily(path, now, status.HostIPs)
}

func (c *checker) checkOnePerFamily(path *field.Path, ips []string, value any) {
	if len(ips) < 2 {
		return
	}
	dual, err := netutils.IsDualStackIPStrings(ips)
	if err != nil {
		c.add(field.InternalError(path, fmt.Errorf("failed to check for dual stack with error:%v", err)))
	}
	if !dual || len(ips) > 2 {
		c.invalid(path, value, "may specify no more than one IP for each IP family")
	}
}

func (c *checker) checkContainerUser(path *field.Path, user *corev1.ContainerUser) {
	if user == nil || user.Linux == nil {
		return
	}
	if c.spec.OS != nil && c.spec.OS.Name == corev1.Windows {
		c.forbidden(path, "cannot be set for a windows pod")
		return
	}
	c.each(path.Child("uid"), user.Linux.UID, utilvalidation.IsValidUserID(user.Linux.UID))
	c.each(path.Child("gid"), user.Linux.GID, utilvalidation.IsValidGroupID(user.Linux.GID))
	for i, id := range user.Linux.SupplementalGroups {
		c.each(path.Child("supplementalGroups").Index(i), id, utilvalidation.IsValidGroupID(id))
	}
}
