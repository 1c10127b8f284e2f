package coordination

import (
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Lease is the row of leases. They are renewed every few seconds, so a power failure may cost the last renewal.
func Lease() *resource.Resource {
	return &resource.Resource{
		Group: coordinationv1.GroupName, Version: "v1", Name: "leases", Singular: "lease", Kind: "Lease", Namespaced: true,
		New:                 func() resource.Object { return &coordinationv1.Lease{} },
		NewList:             func() runtime.Object { return &coordinationv1.LeaseList{} },
		PrepareCreate:       resource.Do(func(lease *coordinationv1.Lease) { dropCoordination(lease, &coordinationv1.Lease{}) }),
		PrepareUpdate:       resource.Do2(dropCoordination),
		Validate:            resource.Typed(validateLease),
		AnyFinalizer:        true,
		ChecksNameOnce:      true,
		ValidateUpdate:      resource.Typed2(func(lease, _ *coordinationv1.Lease) field.ErrorList { return validateLease(lease) }),
		AllowCreateOnUpdate: true,
		Relaxed:             true,
		Columns: []resource.Column{
			meta.Name(), meta.Column("Holder", coordinationv1.LeaseSpec{}.SwaggerDoc()["holderIdentity"]), meta.Age(),
		},
		Row: resource.Typed(func(lease *coordinationv1.Lease) []any {
			holder := ""
			if lease.Spec.HolderIdentity != nil {
				holder = *lease.Spec.HolderIdentity
			}
			return []any{lease.Name, holder, meta.Since(lease.CreationTimestamp)}
		}),
	}
}

// dropCoordination drops the fields of coordinated leader election (KEP-4355), which is beta and off by default.
func dropCoordination(lease, old *coordinationv1.Lease) {
	if old.Spec.Strategy == nil {
		lease.Spec.Strategy = nil
	}
	if old.Spec.PreferredHolder == nil {
		lease.Spec.PreferredHolder = nil
	}
}

func validateLease(lease *coordinationv1.Lease) field.ErrorList {
	var errs field.ErrorList
	spec, path := &lease.Spec, field.NewPath("spec")
	if seconds := spec.LeaseDurationSeconds; seconds != nil && *seconds <= 0 {
		errs = append(errs, field.Invalid(path.Child("leaseDurationSeconds"), *seconds, "must be greater than 0"))
	}
	if transitions := spec.LeaseTransitions; transitions != nil && *transitions < 0 {
		errs = append(errs, field.Invalid(path.Child("leaseTransitions"), *transitions, "must be greater than or equal to 0"))
	}
	if spec.Strategy != nil {
		errs = append(errs, validateStrategy(path.Child("strategy", "strategy"), *spec.Strategy)...)
	}
	if holder := spec.PreferredHolder; holder != nil && *holder != "" && (spec.Strategy == nil || *spec.Strategy == "") {
		errs = append(errs, field.Forbidden(path.Child("preferredHolder"), "may only be specified if `strategy` is defined"))
	}
	return errs
}

// validateStrategy wants the one strategy that Kubernetes has, or a name with a domain.
func validateStrategy(path *field.Path, strategy coordinationv1.CoordinatedLeaseStrategy) field.ErrorList {
	if strings.Contains(string(strategy), "/") {
		return meta.Each(path, strategy, validation.IsQualifiedName(string(strategy)))
	}
	if strategy != coordinationv1.OldestEmulationVersion {
		return field.ErrorList{field.NotSupported(path, strategy,
			[]coordinationv1.CoordinatedLeaseStrategy{coordinationv1.OldestEmulationVersion})}
	}
	return nil
}
