package discovery

import (
	"reflect"
	"strings"
)

// required says whether a field must be given: it must if its tag has it written always. Where the API's documents say
// otherwise than the tags, the documents are right.
func required(f reflect.StructField, options, model, name string) bool {
	switch model + "." + name {
	case "io.k8s.api.apps.v1.DeploymentSpec.selector",
		"io.k8s.api.apps.v1.ReplicaSetSpec.selector",
		"io.k8s.api.authentication.v1.TokenReviewSpec.token",
		"io.k8s.api.core.v1.ContainerRestartRule.action",
		"io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes.operator",
		"io.k8s.api.core.v1.ImageVolumeStatus.imageRef",
		"io.k8s.api.core.v1.PodCertificateProjection.keyType",
		"io.k8s.api.core.v1.PodCertificateProjection.signerName",
		"io.k8s.api.core.v1.ScaleIOVolumeSource.secretRef":
		return true
	case "io.k8s.api.authentication.v1.TokenRequest.spec",
		"io.k8s.api.authentication.v1.TokenRequestSpec.audiences",
		"io.k8s.api.authentication.v1.TokenRequestStatus.expirationTimestamp",
		"io.k8s.api.authentication.v1.TokenRequestStatus.token",
		"io.k8s.api.core.v1.ContainerImage.names",
		"io.k8s.api.core.v1.Event.reportingComponent",
		"io.k8s.api.core.v1.Event.reportingInstance",
		"io.k8s.api.core.v1.NodeRuntimeHandler.name",
		"io.k8s.api.core.v1.ProjectedVolumeSource.sources",
		"io.k8s.api.discovery.v1.EndpointSlice.endpoints",
		"io.k8s.api.discovery.v1.EndpointSlice.ports",
		"io.k8s.api.events.v1.Event.metadata",
		"io.k8s.api.rbac.v1.ClusterRole.rules",
		"io.k8s.api.rbac.v1.Role.rules",
		"io.k8s.api.rbac.v1.RoleRef.apiGroup",
		"io.k8s.api.scheduling.v1.PriorityClass.value":
		return false
	}
	return !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") && f.Type.Kind() != reflect.Pointer
}
