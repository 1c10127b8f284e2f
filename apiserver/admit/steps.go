package admit

import (
	"context"
	"errors"
	"net/netip"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/kinds/resource"
	"proa/store"
)

// Config says what the steps need to know of the cluster.
type Config struct {
	// ServiceCIDRs are the ranges of cluster IPs, one per address family, the first being the default. Required.
	ServiceCIDRs []netip.Prefix
	// FirstNodePort and LastNodePort bound node ports. Optional: 30000 and 32767.
	FirstNodePort, LastNodePort int32
	// ExternalIPs lets services take over any address by spec.externalIPs (CVE-2020-8554). Optional: they may not.
	ExternalIPs bool
	// Pick draws a number below n. Optional: at random. For tests.
	Pick func(n int) int

	// Enabled and Disabled name steps that are taken and left out against the default, by the names of upstream's plug-ins.
	// Optional.
	Enabled, Disabled []string
	// Kind finds what serves a kind; nil for none. Required.
	Kind func(schema.GroupVersionKind) *resource.Resource

	// Encode is the form in which an object is stored. Required.
	Encode func(resource.Object) ([]byte, error)

	// MutateByWebhooks and ValidateByWebhooks call the webhooks that users configured. Optional.
	MutateByWebhooks, ValidateByWebhooks func(ctx context.Context, a *Attributes) error
	// MutateByPolicies and ValidateByPolicies evaluate the policies that users wrote, and CheckParameters asks whether who
	// writes one may read its parameters. Optional.
	MutateByPolicies, ValidateByPolicies, CheckParameters func(ctx context.Context, a *Attributes) error
	// Authorizer says who may have certificates approved and signed. Required.
	Authorizer auth.Authorizer
	// Restrict and CheckEscalation are what package auth says about a write that needs to see objects. Optional.
	Restrict, CheckEscalation func(ctx context.Context, w auth.Write) error
}

// Steps is admission, in upstream's order where the order can be seen.
func Steps(c Config) ([]Step, error) {
	if c.Authorizer == nil || c.Encode == nil || c.Kind == nil {
		return nil, errors.New("list admission steps: Authorizer, Encode and Kind are required")
	}
	if len(c.ServiceCIDRs) == 0 || len(c.ServiceCIDRs) > 2 {
		return nil, errors.New("list admission steps: ServiceCIDRs must be one range per address family")
	}
	addresses, quotas, signers := newAddresses(c), &quotas{encode: c.Encode}, &signers{c.Authorizer}
	return chosen(c.Enabled, c.Disabled, []Step{
		{Name: "NamespaceLifecycle", Admit: namespaceLifecycle},
		{Name: "LimitRanger", Admit: defaultLimits, Validate: checkLimits},
		{Name: "ServiceAccount", Admit: serviceAccount, Validate: checkServiceAccount},
		{Name: "NodeRestriction", Validate: writes(c.Restrict)},
		{Name: "TaintNodesByCondition", Admit: taintNewNode},
		{Name: "PodSecurity", Validate: newPodSecurity().check},
		{Name: "Priority", Admit: podPriority, Validate: oneDefaultPriority},
		{Name: "DefaultTolerationSeconds", Admit: defaultTolerations},
		{Name: "DefaultStorageClass", Admit: defaultClass},
		{Name: "StorageObjectInUseProtection", Admit: protectStorage},
		{Name: ownerPermissions, Validate: (&owners{c.Authorizer, c.Kind}).check},
		{Name: "PersistentVolumeClaimResize", Validate: checkResize},
		{Name: "RuntimeClass", Admit: runtimeClass, Validate: checkOverhead},
		{Name: "CertificateApproval", Validate: signers.approval},
		{Name: "CertificateSigning", Validate: signers.signing},
		{Name: "CertificateSubjectRestriction", Validate: signers.subject},
		{Name: "DefaultIngressClass", Admit: defaultIngressClass},
		{Name: "DenyServiceExternalIPs", Validate: denyExternalIPs(c.ExternalIPs)},
		{Name: "PodTopologyLabels", Admit: topologyLabels},
		{Name: "NodeDeclaredFeatureValidator", Validate: checkDeclaredFeatures},
		{Name: "PodResizeValidator", Validate: checkPodResize},
		{Name: "DeviceAdminAccess", Validate: checkDeviceAdmin},
		{Name: "DeviceStatusAuthorization", Validate: (&deviceStatus{c.Authorizer}).check},
		{Name: "PrivilegeEscalation", Validate: writes(c.CheckEscalation)},
		{Name: "MutatingAdmissionPolicy", Counted: true, Admit: c.MutateByPolicies},
		{Name: "MutatingAdmissionWebhook", Counted: true, Admit: c.MutateByWebhooks},
		// After what changes services, and before what checks them: upstream's storage gives addresses there.
		{Name: "ServiceAddresses", Admit: addresses.fill, ClaimsFor: addresses.claimsFor, Claim: addresses.claim},
		{Name: "PolicyParameters", Validate: c.CheckParameters},
		{Name: "ValidatingAdmissionPolicy", Counted: true, Validate: c.ValidateByPolicies},
		{Name: "ValidatingAdmissionWebhook", Counted: true, Validate: c.ValidateByWebhooks},
		{Name: "ResourceQuota", Validate: quotas.check, ClaimsFor: quotas.claimsFor, Claim: quotas.claim}, // last: nothing refused is charged
	})
}

// writes shows a write to a function of package auth.
func writes(check func(context.Context, auth.Write) error) func(context.Context, *Attributes) error {
	if check == nil {
		return nil
	}
	verbs := map[Operation]string{Create: "create", Update: "update", Delete: "delete", Connect: "connect"}
	return func(ctx context.Context, a *Attributes) error {
		var body any
		if a.Body != nil {
			body = a.Body.Object
		}
		return check(ctx, auth.Write{User: a.User, Verb: verbs[a.Operation], Group: a.Resource.Group, Resource: a.Resource.Name,
			Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name, Object: a.Object, Body: body, Old: a.Old, Snapshot: a.Snapshot})
	}
}

// Forbidden is how admission refuses.
func Forbidden(a *Attributes, err error) *apierrors.StatusError {
	name := a.Name
	if name == "" && a.Object != nil {
		if name = a.Object.GetName(); name == "" {
			name = a.Object.GetGenerateName()
		}
	}
	if name == "" {
		name = "Unknown"
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.Version.Kind.Group, Resource: a.Resource.Name}, name, err)
}

// lookup reads one object of the snapshot.
func lookup[T resource.Object](a *Attributes, table, namespace, name string) (obj T, ok bool) {
	item := a.Snapshot.Get(store.Key{Table: table, Namespace: namespace, Name: name})
	if item == nil {
		return obj, false
	}
	obj, ok = item.Value().(T)
	return obj, ok
}

// all yields the objects of a table and namespace.
func all[T resource.Object](a *Attributes, table, namespace string) func(func(T) bool) {
	return func(yield func(T) bool) {
		for item := range a.Snapshot.List(table, namespace, store.Key{}) {
			if obj, ok := item.Value().(T); ok && !yield(obj) {
				return
			}
		}
	}
}
