package kinds

import (
	"proa/kinds/admissionregistration"
	"proa/kinds/apiextensions"
	"proa/kinds/apiregistration"
	"proa/kinds/apps"
	"proa/kinds/authentication"
	"proa/kinds/authorization"
	"proa/kinds/autoscaling"
	"proa/kinds/batch"
	"proa/kinds/certificates"
	"proa/kinds/coordination"
	"proa/kinds/core"
	"proa/kinds/devices"
	"proa/kinds/discovery"
	"proa/kinds/flowcontrol"
	"proa/kinds/legacy"
	"proa/kinds/metrics"
	"proa/kinds/networking"
	"proa/kinds/node"
	"proa/kinds/policy"
	"proa/kinds/rbac"
	"proa/kinds/scheduling"
	"proa/kinds/storage"
)

// Builtin is the table of everything that a cluster can hold without custom resources. Discovery lists it in this order.
func Builtin() *Table {
	return New(legacy.Serve(
		core.ComponentStatus(),
		core.ConfigMap(),
		core.Endpoints(),
		core.Event(),
		core.LimitRange(),
		core.Namespace(),
		core.Node(),
		core.PersistentVolume(),
		core.PersistentVolumeClaim(),
		core.Pod(),
		core.PodTemplate(),
		core.ReplicationController(),
		core.ResourceQuota(),
		core.Secret(),
		core.ServiceAccount(),
		core.Service(),

		apiextensions.CustomResourceDefinition(),
		apiregistration.APIService(),

		authentication.SelfSubjectReview(),
		authentication.TokenReview(),
		authorization.LocalSubjectAccessReview(),
		authorization.SelfSubjectAccessReview(),
		authorization.SelfSubjectRulesReview(),
		authorization.SubjectAccessReview(),

		admissionregistration.MutatingAdmissionPolicy(),
		admissionregistration.MutatingAdmissionPolicyBinding(),
		admissionregistration.MutatingWebhookConfiguration(),
		admissionregistration.ValidatingAdmissionPolicy(),
		admissionregistration.ValidatingAdmissionPolicyBinding(),
		admissionregistration.ValidatingWebhookConfiguration(),

		apps.ControllerRevision(),
		apps.DaemonSet(),
		apps.Deployment(),
		apps.ReplicaSet(),
		apps.StatefulSet(),

		autoscaling.HorizontalPodAutoscaler(),

		batch.CronJob(),
		batch.Job(),

		certificates.CertificateSigningRequest(),

		coordination.Lease(),
		discovery.EndpointSlice(),

		flowcontrol.FlowSchema(),
		flowcontrol.PriorityLevelConfiguration(),

		metrics.NodeMetrics(),
		metrics.PodMetrics(),

		networking.Ingress(),
		networking.IngressClass(),
		networking.IPAddress(),
		networking.NetworkPolicy(),
		networking.ServiceCIDR(),

		node.RuntimeClass(),
		policy.PodDisruptionBudget(),

		rbac.ClusterRoleBinding(),
		rbac.ClusterRole(),
		rbac.RoleBinding(),
		rbac.Role(),

		devices.DeviceClass(),
		devices.ResourceClaim(),
		devices.ResourceClaimTemplate(),
		devices.ResourceSlice(),

		scheduling.PriorityClass(),

		storage.CSIDriver(),
		storage.CSINode(),
		storage.CSIStorageCapacity(),
		storage.StorageClass(),
		storage.VolumeAttachment(),
		storage.VolumeAttributesClass(),
	)...)
}
