package admit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/devices"
)

// rights are those that somebody has: "update resourceclaims/driver default/gpu".
type rights []string

func (r rights) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	asked := fmt.Sprintf("%s %s/%s %s/%s", a.Verb, a.Resource, a.Subresource, a.Namespace, a.Name)
	for _, right := range r {
		if right == asked {
			return true, "", nil
		}
	}
	return false, "no rule", errors.New("some error")
}

// Who may write a claim's status may still only write the part of it that is theirs.
func TestStatusOfClaims(t *testing.T) {
	claim := func(status resourcev1.ResourceClaimStatus) *resourcev1.ResourceClaim {
		return &resourcev1.ResourceClaim{Status: status}
	}
	on := func(node string) *resourcev1.AllocationResult {
		return &resourcev1.AllocationResult{NodeSelector: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}}
	}
	report := func(driver, device string) resourcev1.AllocatedDeviceStatus {
		return resourcev1.AllocatedDeviceStatus{Driver: driver, Pool: "p", Device: device}
	}
	pod := auth.User{Name: "system:serviceaccount:drivers:gpu", Extra: map[string][]string{auth.ExtraNodeName: {"n1"}}}
	type status = resourcev1.ResourceClaimStatus
	bound := status{Allocation: on("n1")}
	reported := func(all ...resourcev1.AllocatedDeviceStatus) status {
		return status{Allocation: on("n1"), Devices: all}
	}
	for name, c := range map[string]struct {
		user     auth.User
		rights   rights
		verb     string
		old, now status
		refusal  string // a part of it; empty if there is none
	}{
		"bind":                 {pod, rights{"update resourceclaims/binding /"}, "update", status{}, bound, ""},
		"bind by a patch":      {pod, rights{"patch resourceclaims/binding /"}, "patch", status{}, bound, ""},
		"bind without right":   {pod, rights{"patch resourceclaims/binding /"}, "update", status{}, bound, `verb="update" permission: resourceclaims.resource.k8s.io is forbidden: User "system:serviceaccount:drivers:gpu" cannot update resource "resourceclaims/binding" in API group "resource.k8s.io" at the cluster scope: some error: no rule`},
		"reserve":              {pod, nil, "update", bound, status{Allocation: on("n1"), ReservedFor: []resourcev1.ResourceClaimConsumerReference{{Name: "x"}}}, "changing status.allocation or status.reservedFor requires"},
		"change nothing":       {pod, nil, "update", reported(report("gpu", "0")), reported(report("gpu", "0")), ""},
		"free, with reports":   {pod, rights{"update resourceclaims/binding /"}, "update", reported(report("gpu", "0")), status{}, ""},
		"report from there":    {pod, rights{"associated-node:update resourceclaims/driver default/gpu"}, "update", bound, reported(report("gpu", "0")), ""},
		"report from anywhere": {auth.User{Name: "u"}, rights{"arbitrary-node:patch resourceclaims/driver default/gpu"}, "patch", bound, reported(report("gpu", "0")), ""},
		"report from elsewhere": {auth.User{Name: pod.Name, Extra: map[string][]string{auth.ExtraNodeName: {"n2"}}},
			rights{"associated-node:update resourceclaims/driver default/gpu"}, "update", bound, reported(report("gpu", "0")), `verb="[arbitrary-node:update]" permission`},
		"report for another driver": {pod, rights{"associated-node:update resourceclaims/driver default/gpu"}, "update", bound, reported(report("gpu", "0"), report("nic", "0")),
			`status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver", verb="[associated-node:update arbitrary-node:update]" permission: resourceclaims.resource.k8s.io "nic" is forbidden`},
		"take back another's report": {pod, rights{"associated-node:update resourceclaims/driver default/gpu"}, "update", reported(report("nic", "0")), reported(), `"nic" is forbidden`},
	} {
		t.Run(name, func(t *testing.T) {
			row := devices.ResourceClaim()
			a := &Attributes{Operation: Update, Verb: c.verb, Subresource: "status", Namespace: "default", Name: "c", User: c.user, Resource: row,
				Version: &encode.Version{Kind: schema.GroupVersionKind{Group: "resource.k8s.io", Version: "v1", Kind: "ResourceClaim"}},
				Object:  claim(c.now), Old: claim(c.old)}
			err := (&deviceStatus{c.rights}).check(t.Context(), a)
			switch {
			case c.refusal == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.refusal != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), c.refusal)):
				t.Errorf("got  %v\nwant %s", err, c.refusal)
			}
		})
	}
}
