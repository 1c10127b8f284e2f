package storage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// CSIDriver is the row of csidrivers: what a storage system's driver can do and wants.
func CSIDriver() *resource.Resource {
	doc := storagev1.CSIDriverSpec{}.SwaggerDoc()
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "csidrivers", Singular: "csidriver", Kind: "CSIDriver",
		New:           func() resource.Object { return &storagev1.CSIDriver{} },
		NewList:       func() runtime.Object { return &storagev1.CSIDriverList{} },
		Default:       resource.Do(func(d *storagev1.CSIDriver) { defaultDriver(&d.Spec) }),
		PrepareCreate: resource.Do(func(d *storagev1.CSIDriver) { d.Spec.PreventPodSchedulingIfMissing = nil }),
		PrepareUpdate: resource.Do2(func(d, old *storagev1.CSIDriver) {
			d.Spec.PreventPodSchedulingIfMissing = nil // beta, and off by default
			meta.CountGeneration(d, old, !equality.Semantic.DeepEqual(d.Spec, old.Spec))
		}),
		Validate:       resource.Typed(func(d *storagev1.CSIDriver) field.ErrorList { return validateDriver(&d.Spec) }),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(func(d, old *storagev1.CSIDriver) field.ErrorList {
			errs := validateDriver(&d.Spec)
			errs = append(errs, validation.ValidateImmutableField(d.Spec.AttachRequired, old.Spec.AttachRequired, field.NewPath("spec", "attachedRequired"))...)
			return append(errs, validation.ValidateImmutableField(d.Spec.VolumeLifecycleModes, old.Spec.VolumeLifecycleModes, field.NewPath("spec", "volumeLifecycleModes"))...)
		}),
		Warnings: driverWarnings,
		Columns: []resource.Column{
			meta.Name(),
			{Name: "AttachRequired", Type: "boolean", Description: doc["attachRequired"]},
			{Name: "PodInfoOnMount", Type: "boolean", Description: doc["podInfoOnMount"]},
			{Name: "StorageCapacity", Type: "boolean", Description: doc["storageCapacity"]},
			meta.Column("TokenRequests", doc["tokenRequests"]),
			{Name: "RequiresRepublish", Type: "boolean", Description: doc["requiresRepublish"]},
			meta.Column("Modes", doc["volumeLifecycleModes"]),
			meta.Age(),
		},
		Row: resource.Typed(driverRow),
	}
}

// driverWarnings: tokens among a volume's attributes end up in logs.
func driverWarnings(obj, old resource.Object) []string {
	s := &obj.(*storagev1.CSIDriver).Spec
	if len(s.TokenRequests) == 0 || s.ServiceAccountTokenInSecrets != nil {
		return nil
	}
	if old != nil && equality.Semantic.DeepEqual(s.TokenRequests, old.(*storagev1.CSIDriver).Spec.TokenRequests) {
		return nil
	}
	return []string{"spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"}
}

func setIfNil[T any](at **T, value T) {
	if *at == nil {
		*at = &value
	}
}

func defaultDriver(s *storagev1.CSIDriverSpec) {
	setIfNil(&s.AttachRequired, true)
	setIfNil(&s.PodInfoOnMount, false)
	setIfNil(&s.StorageCapacity, false)
	setIfNil(&s.FSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)
	if len(s.VolumeLifecycleModes) == 0 {
		s.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	}
	setIfNil(&s.RequiresRepublish, false)
	setIfNil(&s.SELinuxMount, false)
}

func validateDriver(s *storagev1.CSIDriverSpec) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	for _, flag := range []struct {
		name  string
		value *bool
	}{{"attachedRequired", s.AttachRequired}, {"podInfoOnMount", s.PodInfoOnMount}, {"storageCapacity", s.StorageCapacity}} {
		if flag.value == nil {
			errs = append(errs, field.Required(path.Child(flag.name), ""))
		}
	}
	policies := []storagev1.FSGroupPolicy{storagev1.FileFSGroupPolicy, storagev1.NoneFSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy}
	if s.FSGroupPolicy != nil && !slices.Contains(policies, *s.FSGroupPolicy) {
		errs = append(errs, field.NotSupported(path.Child("fsGroupPolicy"), *s.FSGroupPolicy, policies))
	}
	errs = append(errs, validateTokenRequests(s.TokenRequests, path.Child("tokenRequests"))...)
	modes := []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent, storagev1.VolumeLifecycleEphemeral}
	for _, mode := range s.VolumeLifecycleModes {
		if !slices.Contains(modes, mode) {
			errs = append(errs, field.NotSupported(path.Child("volumeLifecycleModes"), mode, modes))
		}
	}
	if s.SELinuxMount == nil {
		errs = append(errs, field.Required(path.Child("seLinuxMount"), ""))
	}
	if period := s.NodeAllocatableUpdatePeriodSeconds; period != nil && *period < 10 {
		errs = append(errs, field.Invalid(path.Child("nodeAllocatableUpdatePeriodSeconds"), *period, "must be greater than or equal to 10 seconds"))
	}
	if s.ServiceAccountTokenInSecrets != nil && len(s.TokenRequests) == 0 {
		errs = append(errs, field.Invalid(path.Child("serviceAccountTokenInSecrets"), *s.ServiceAccountTokenInSecrets,
			"serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
	}
	return errs
}

func validateTokenRequests(requests []storagev1.TokenRequest, path *field.Path) field.ErrorList {
	const shortest, longest = int64(10 * time.Minute / time.Second), int64(1) << 32
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, r := range requests {
		at := path.Index(i)
		if seen[r.Audience] {
			errs = append(errs, field.Duplicate(at.Child("audience"), r.Audience))
			continue
		}
		seen[r.Audience] = true
		switch seconds := r.ExpirationSeconds; {
		case seconds == nil:
		case *seconds < shortest:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *seconds, "may not specify a duration less than 10 minutes"))
		case *seconds > longest:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *seconds, "may not specify a duration larger than 2^32 seconds"))
		}
	}
	return errs
}

func driverRow(d *storagev1.CSIDriver) []any {
	is := func(flag *bool, otherwise bool) bool {
		if flag == nil {
			return otherwise
		}
		return *flag
	}
	modes, tokens := "<none>", "<unset>"
	if len(d.Spec.VolumeLifecycleModes) > 0 {
		var texts []string
		for _, mode := range d.Spec.VolumeLifecycleModes {
			texts = append(texts, string(mode))
		}
		modes = strings.Join(texts, ",")
	}
	if len(d.Spec.TokenRequests) > 0 {
		var audiences []string
		for _, r := range d.Spec.TokenRequests {
			audiences = append(audiences, r.Audience)
		}
		tokens = strings.Join(audiences, ",")
	}
	return []any{d.Name, is(d.Spec.AttachRequired, true), is(d.Spec.PodInfoOnMount, false), is(d.Spec.StorageCapacity, false), tokens,
		is(d.Spec.RequiresRepublish, false), modes, meta.Since(d.CreationTimestamp)}
}

// CSINode is the row of csinodes: the drivers on a node, by the node's name.
func CSINode() *resource.Resource {
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "csinodes", Singular: "csinode", Kind: "CSINode",
		New:      func() resource.Object { return &storagev1.CSINode{} },
		NewList:  func() runtime.Object { return &storagev1.CSINodeList{} },
		Validate: resource.Typed(validateNode),
		ValidateUpdate: resource.Typed2(func(n, old *storagev1.CSINode) field.ErrorList {
			return append(validateNode(n), validateNodeChange(n, old)...)
		}),
		Columns: []resource.Column{
			meta.Name(), meta.Number("Drivers", "Drivers indicates the number of CSI drivers registered on the node"), meta.Age(),
		},
		Row: resource.Typed(func(n *storagev1.CSINode) []any {
			return []any{n.Name, int64(len(n.Spec.Drivers)), meta.Since(n.CreationTimestamp)}
		}),
	}
}

const longestNodeID = 256

func validateNode(n *storagev1.CSINode) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec", "drivers")
	seen := map[string]bool{}
	for i, d := range n.Spec.Drivers {
		at := path.Index(i)
		errs = append(errs, podspec.ValidateDriverName(d.Name, at.Child("name"))...)
		if d.NodeID == "" {
			errs = append(errs, field.Required(at.Child("nodeID"), ""))
		} else if len(d.NodeID) > longestNodeID {
			errs = append(errs, field.Invalid(at.Child("nodeID"), d.NodeID, fmt.Sprintf("must be %d characters or less", longestNodeID)))
		}
		if d.Allocatable != nil && d.Allocatable.Count != nil {
			errs = append(errs, meta.NotNegative(at.Child("allocatable", "count"), *d.Allocatable.Count)...)
		}
		if seen[d.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), d.Name))
		}
		seen[d.Name] = true
		for j, key := range d.TopologyKeys {
			if key == "" {
				errs = append(errs, field.Required(at, key))
			}
			if slices.Contains(d.TopologyKeys[:j], key) {
				errs = append(errs, field.Duplicate(at, key))
			}
			errs = append(errs, meta.QualifiedName(at, key)...)
		}
	}
	return errs
}

// validateNodeChange: drivers come and go, but only what one can take changes.
func validateNodeChange(n, old *storagev1.CSINode) field.ErrorList {
	var errs field.ErrorList
	for i := range n.Spec.Drivers {
		for j := range old.Spec.Drivers {
			now, before := n.Spec.Drivers[i].DeepCopy(), old.Spec.Drivers[j].DeepCopy()
			if now.Name == before.Name {
				now.Allocatable, before.Allocatable = nil, nil
				errs = append(errs, validation.ValidateImmutableField(now, before, field.NewPath("spec", "drivers"))...)
			}
		}
	}
	return errs
}

// CSIStorageCapacity is the row of csistoragecapacities: how much room a class has in a part of the cluster.
func CSIStorageCapacity() *resource.Resource {
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "csistoragecapacities", Singular: "csistoragecapacity", Kind: "CSIStorageCapacity", Namespaced: true,
		New:      func() resource.Object { return &storagev1.CSIStorageCapacity{} },
		NewList:  func() runtime.Object { return &storagev1.CSIStorageCapacityList{} },
		Validate: resource.Typed(func(c *storagev1.CSIStorageCapacity) field.ErrorList { return validateCapacity(c, nil) }),
		ValidateUpdate: resource.Typed2(func(c, old *storagev1.CSIStorageCapacity) field.ErrorList {
			errs := validateCapacity(c, old)
			errs = append(errs, validation.ValidateImmutableField(c.NodeTopology, old.NodeTopology, field.NewPath("nodeTopology"))...)
			return append(errs, validation.ValidateImmutableField(c.StorageClassName, old.StorageClassName, field.NewPath("storageClassName"))...)
		}),
		Warnings: func(obj, _ resource.Object) []string {
			return meta.NodeSelectorWarnings(field.NewPath("nodeTopology"), obj.(*storagev1.CSIStorageCapacity).NodeTopology)
		},
		Columns: meta.NameAndCreated(),
		Row:     meta.NameAndCreatedRow,
	}
}

// validateCapacity lets a selector with bad values stay that was stored before they were refused.
func validateCapacity(c, old *storagev1.CSIStorageCapacity) field.ErrorList {
	path, strict := field.NewPath("nodeTopology"), metav1validation.LabelSelectorValidationOptions{}
	lenient := metav1validation.LabelSelectorValidationOptions{
		AllowInvalidLabelValueInSelector: old != nil && len(metav1validation.ValidateLabelSelector(old.NodeTopology, strict, path)) > 0,
	}
	errs := metav1validation.ValidateLabelSelector(c.NodeTopology, lenient, path)
	errs = append(errs, meta.Each(field.NewPath("storageClassName"), c.StorageClassName, utilvalidation.IsDNS1123Subdomain(c.StorageClassName))...)
	if c.Capacity != nil && c.Capacity.Sign() < 0 {
		errs = append(errs, field.Invalid(field.NewPath("capacity"), c.Capacity.String(), validation.IsNegativeErrorMsg))
	}
	return errs
}
