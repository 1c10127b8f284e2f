package patch

import (
	"reflect"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the API's types say of ownership in comments (structType, listType, mapType), which Go does not keep. A new kind
// that needs a line here fails TestPlansLikeSchemas.

// atomic types are owned as a whole.
var atomic = map[reflect.Type]bool{
	reflect.TypeFor[admissionv1.MatchResources]():                true,
	reflect.TypeFor[admissionv1.ParamKind]():                     true,
	reflect.TypeFor[admissionv1.ParamRef]():                      true,
	reflect.TypeFor[admissionv1.Variable]():                      true,
	reflect.TypeFor[corev1.ConfigMapKeySelector]():               true,
	reflect.TypeFor[corev1.FileKeySelector]():                    true,
	reflect.TypeFor[corev1.LocalObjectReference]():               true,
	reflect.TypeFor[corev1.NodeSelector]():                       true,
	reflect.TypeFor[corev1.ObjectFieldSelector]():                true,
	reflect.TypeFor[corev1.ObjectReference]():                    true,
	reflect.TypeFor[corev1.ResourceFieldSelector]():              true,
	reflect.TypeFor[autoscalingv1.CrossVersionObjectReference](): true,
	reflect.TypeFor[corev1.ScopeSelector]():                      true,
	reflect.TypeFor[corev1.SecretReference]():                    true,
	reflect.TypeFor[corev1.SecretKeySelector]():                  true,
	reflect.TypeFor[corev1.TypedLocalObjectReference]():          true,
	reflect.TypeFor[metav1.LabelSelector]():                      true,
	reflect.TypeFor[metav1.OwnerReference]():                     true,
	reflect.TypeFor[networkingv1.ServiceBackendPort]():           true,
	reflect.TypeFor[rbacv1.RoleRef]():                            true,
}

// granular fields hold an atomic type, and are owned field by field all the same.
var granular = map[fieldName]bool{
	fieldOf[corev1.PersistentVolumeSpec]("ClaimRef"): true,
}

type fieldName struct {
	of   reflect.Type
	name string
}

func fieldOf[T any](name string) fieldName { return fieldName{reflect.TypeFor[T](), name} }

// itself stands for the key of a list whose elements are named by their values.
const itself = "."

// relations names the keys of lists, sorted, where they are not the patchMergeKey, with the default as JSON where it is not the
// zero value. Without keys the field is owned as a whole.
var relations = map[fieldName][]string{
	fieldOf[resourcev1.ResourceClaimStatus]("Devices"):                    {"device", "driver", "pool", "shareID"},
	fieldOf[resourcev1.AllocatedDeviceStatus]("Conditions"):               {"type"},
	fieldOf[apiextensionsv1.CustomResourceDefinitionStatus]("Conditions"): {"type"},
	fieldOf[certificatesv1.CertificateSigningRequestStatus]("Conditions"): {"type"},

	fieldOf[admissionv1.ValidatingAdmissionPolicyStatus]("Conditions"):             {"type"},
	fieldOf[admissionv1.ValidatingAdmissionPolicyBindingSpec]("ValidationActions"): {itself},

	fieldOf[batchv1.JobStatus]("Conditions"):                 nil,
	fieldOf[batchv1.UncountedTerminatedPods]("Succeeded"):    {itself},
	fieldOf[batchv1.UncountedTerminatedPods]("Failed"):       {itself},
	fieldOf[nodev1.Scheduling]("NodeSelector"):               nil,
	fieldOf[storagev1.CSIDriverSpec]("VolumeLifecycleModes"): {itself},
	fieldOf[corev1.Container]("Ports"):                       {"containerPort", `protocol="TCP"`},
	fieldOf[corev1.EphemeralContainerCommon]("Ports"):        {"containerPort", `protocol="TCP"`},
	fieldOf[corev1.PodSpec]("ImagePullSecrets"):              {`name=""`},
	fieldOf[corev1.ReplicationControllerSpec]("Selector"):    nil,
	fieldOf[corev1.PodSpec]("NodeSelector"):                  nil,
	fieldOf[corev1.PodSpec]("TopologySpreadConstraints"):     {"topologyKey", "whenUnsatisfiable"},
	fieldOf[corev1.PodStatus]("HostIPs"):                     nil,
	fieldOf[corev1.ResourceRequirements]("Claims"):           {"name"},
	fieldOf[corev1.ServiceSpec]("Ports"):                     {"port", `protocol="TCP"`},
	fieldOf[corev1.ServiceSpec]("Selector"):                  nil,
}
