package devices

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/types"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

// deviceName names a device, or a share of one, in the whole cluster.
func deviceName(driver, pool, device string, share *types.UID) string {
	name := driver + "/" + pool + "/" + device
	if share != nil {
		name += "/" + string(*share)
	}
	return name
}

func allocated(c *resourcev1.ResourceClaim) map[string]bool {
	names := map[string]bool{}
	if c.Status.Allocation != nil {
		for _, r := range c.Status.Allocation.Devices.Results {
			names[deviceName(r.Driver, r.Pool, r.Device, r.ShareID)] = true
		}
	}
	return names
}

func statusName(d *resourcev1.AllocatedDeviceStatus) string {
	return deviceName(d.Driver, d.Pool, d.Device, (*types.UID)(d.ShareID))
}

// forgetFreed drops what is said of devices that the claim had and has no longer.
func forgetFreed(c, old *resourcev1.ResourceClaim) {
	had, has := allocated(old), allocated(c)
	c.Status.Devices = slices.DeleteFunc(c.Status.Devices, func(d resourcev1.AllocatedDeviceStatus) bool {
		name := statusName(&d)
		return had[name] && !has[name]
	})
	if len(c.Status.Devices) == 0 {
		c.Status.Devices = nil
	}
}

func validateStatus(c, old *resourcev1.ResourceClaim) field.ErrorList {
	path, status, names := field.NewPath("status"), &c.Status, requestNames(&c.Spec.Devices)
	errs := set(path.Child("reservedFor"), status.ReservedFor, resourcev1.ResourceClaimReservedForMaxSize,
		func(r resourcev1.ResourceClaimConsumerReference) types.UID { return r.UID }, consumer)
	has := allocated(c)
	errs = append(errs, set(path.Child("devices"), status.Devices, -1,
		func(d resourcev1.AllocatedDeviceStatus) string { return statusName(&d) },
		func(at *field.Path, d resourcev1.AllocatedDeviceStatus) field.ErrorList {
			return deviceStatus(at, &d, has)
		})...)
	errs = append(errs, validateReserved(c, old, path.Child("reservedFor"))...)
	at := path.Child("allocation")
	switch {
	case status.Allocation != nil && old.Status.Allocation != nil:
		return append(errs, unchanged(at, *status.Allocation, *old.Status.Allocation)...)
	case status.Allocation != nil:
		return append(errs, validateAllocation(at, status.Allocation, names)...)
	}
	return errs
}

func consumer(path *field.Path, r resourcev1.ResourceClaimConsumerReference) field.ErrorList {
	var errs field.ErrorList
	for _, part := range []struct{ name, value string }{{"resource", r.Resource}, {"name", r.Name}, {"uid", string(r.UID)}} {
		if part.value == "" {
			errs = append(errs, field.Required(path.Child(part.name), ""))
		}
	}
	return errs
}

// validateReserved: nobody uses what is not allocated, nor begins to use what is going.
func validateReserved(c, old *resourcev1.ResourceClaim, path *field.Path) field.ErrorList {
	reserved := c.Status.ReservedFor
	switch {
	case len(reserved) == 0:
		return nil
	case c.Status.Allocation == nil:
		return field.ErrorList{field.Forbidden(path, "may not be specified when `allocated` is not set")}
	case c.DeletionTimestamp == nil:
		return nil
	}
	for _, r := range reserved {
		if !slices.Contains(old.Status.ReservedFor, r) {
			return field.ErrorList{field.Forbidden(path, "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set")}
		}
	}
	return nil
}

func validateAllocation(path *field.Path, a *resourcev1.AllocationResult, names []string) field.ErrorList {
	devices := path.Child("devices")
	errs := list(devices.Child("results"), a.Devices.Results, resourcev1.AllocationResultsMaxSize,
		func(at *field.Path, r resourcev1.DeviceRequestAllocationResult) field.ErrorList {
			return result(at, &r, names)
		})
	const perOrigin = resourcev1.DeviceConfigMaxSize
	errs = append(errs, list(devices.Child("config"), a.Devices.Config, 2*perOrigin, // of the class and of the claim
		func(at *field.Path, c resourcev1.DeviceAllocationConfiguration) field.ErrorList {
			errs := configSource(at.Child("source"), c.Source)
			errs = append(errs, references(at.Child("requests"), c.Requests, names)...)
			return append(errs, configuration(at, c.Opaque)...)
		})...)
	if a.NodeSelector != nil {
		errs = append(errs, podspec.ValidateNodeSelector(a.NodeSelector, path.Child("nodeSelector"))...)
	}
	return errs
}

func configSource(path *field.Path, source resourcev1.AllocationConfigSource) field.ErrorList {
	known := []resourcev1.AllocationConfigSource{resourcev1.AllocationConfigSourceClaim, resourcev1.AllocationConfigSourceClass}
	switch {
	case source == "":
		return field.ErrorList{field.Required(path, "")}
	case !slices.Contains(known, source):
		return field.ErrorList{field.NotSupported(path, source, known)}
	}
	return nil
}

func result(path *field.Path, r *resourcev1.DeviceRequestAllocationResult, names []string) field.ErrorList {
	errs := reference(path.Child("request"), r.Request, names)
	errs = append(errs, podspec.ValidateDriverName(r.Driver, path.Child("driver"))...)
	errs = append(errs, poolName(path.Child("pool"), r.Pool)...)
	errs = append(errs, meta.DNSLabel(path.Child("device"), r.Device)...)
	errs = append(errs, bindingConditions(path, r.BindingConditions, r.BindingFailureConditions)...)
	if r.ShareID != nil {
		errs = append(errs, shareID(path.Child("shareID"), string(*r.ShareID))...)
	}
	return errs
}

func shareID(path *field.Path, id string) field.ErrorList {
	if err := uuid.Validate(id); err != nil {
		return field.ErrorList{field.Invalid(path, id, fmt.Sprintf("error validating uid: %v", err))}
	}
	if len(id) != 36 || id != strings.ToLower(id) {
		return field.ErrorList{field.Invalid(path, id, "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters")}
	}
	return nil
}

func poolName(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if len(name) > resourcev1.PoolNameMaxLength {
		errs = append(errs, field.TooLong(path, "", resourcev1.PoolNameMaxLength))
	}
	for part := range strings.SplitSeq(name, "/") {
		errs = append(errs, meta.Each(path, part, utilvalidation.IsDNS1123Subdomain(part))...)
	}
	return errs
}

func deviceStatus(path *field.Path, d *resourcev1.AllocatedDeviceStatus, has map[string]bool) field.ErrorList {
	errs := podspec.ValidateDriverName(d.Driver, path.Child("driver"))
	errs = append(errs, poolName(path.Child("pool"), d.Pool)...)
	errs = append(errs, meta.DNSLabel(path.Child("device"), d.Device)...)
	if d.ShareID != nil {
		errs = append(errs, shareID(path.Child("shareID"), *d.ShareID)...)
	}
	if name := statusName(d); !has[name] {
		shown := struct{ Driver, Pool, Device string }{d.Driver, d.Pool, d.Device}
		errs = append(errs, field.Invalid(path, shown, "must be an allocated device in the claim"))
	}
	if n := len(d.Conditions); n > resourcev1.AllocatedDeviceStatusMaxConditions {
		errs = append(errs, field.TooMany(path.Child("conditions"), n, resourcev1.AllocatedDeviceStatusMaxConditions))
	}
	errs = append(errs, metav1validation.ValidateConditions(d.Conditions, path.Child("conditions"))...)
	if d.Data != nil && len(d.Data.Raw) > 0 {
		errs = append(errs, jsonObject(path.Child("data"), *d.Data, resourcev1.AllocatedDeviceStatusDataMaxLength)...)
	}
	if d.NetworkData != nil {
		errs = append(errs, networkData(path.Child("networkData"), d.NetworkData)...)
	}
	return errs
}

func networkData(path *field.Path, n *resourcev1.NetworkDeviceData) field.ErrorList {
	var errs field.ErrorList
	if longest := resourcev1.NetworkDeviceDataInterfaceNameMaxLength; len(n.InterfaceName) > longest {
		errs = append(errs, field.TooLong(path.Child("interfaceName"), "", longest))
	}
	if longest := resourcev1.NetworkDeviceDataHardwareAddressMaxLength; len(n.HardwareAddress) > longest {
		errs = append(errs, field.TooLong(path.Child("hardwareAddress"), "", longest))
	}
	return append(errs, set(path.Child("ips"), n.IPs, resourcev1.NetworkDeviceDataMaxIPs, itself[string], utilvalidation.IsValidInterfaceAddress)...)
}

// bindingConditions are what a pod waits for before it is bound, and what makes it try another device.
func bindingConditions(path *field.Path, conditions, failures []string) field.ErrorList {
	at, failed := path.Child("bindingConditions"), path.Child("bindingFailureConditions")
	name := func(at *field.Path, name string) field.ErrorList { return metav1validation.ValidateLabelName(name, at) }
	errs := list(at, conditions, resourcev1.BindingConditionsMaxSize, name)
	errs = append(errs, list(failed, failures, resourcev1.BindingFailureConditionsMaxSize, name)...)
	for i, c := range conditions {
		if slices.Contains(conditions[:i], c) {
			errs = append(errs, field.Duplicate(at.Index(i), c))
		}
	}
	for i, c := range failures {
		if slices.Contains(failures[:i], c) {
			errs = append(errs, field.Duplicate(failed.Index(i), c))
		}
		if slices.Contains(conditions, c) {
			errs = append(errs, field.Invalid(failed.Index(i), c, "bindingFailureConditions must not overlap with bindingConditions"))
		}
	}
	if len(conditions) == 0 && len(failures) > 0 {
		errs = append(errs, field.Invalid(at, conditions, "bindingConditions are required to use bindingFailureConditions"))
	}
	if len(failures) == 0 && len(conditions) > 0 {
		errs = append(errs, field.Invalid(failed, failures, "bindingFailureConditions are required to use bindingConditions"))
	}
	return errs
}
