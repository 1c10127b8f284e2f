package apiextensions

import (
	"slices"
	"time"

	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Table is where definitions are kept.
const Table = "customresourcedefinitions.apiextensions.k8s.io"

// CustomResourceDefinition is the row of customresourcedefinitions.
func CustomResourceDefinition() *resource.Resource {
	return &resource.Resource{
		Group: apiextensionsv1.GroupName, Version: "v1", Name: "customresourcedefinitions", Singular: "customresourcedefinition",
		Kind: "CustomResourceDefinition", ShortNames: []string{"crd", "crds"}, Categories: []string{"api-extensions"},
		New:            func() resource.Object { return &apiextensionsv1.CustomResourceDefinition{} },
		NewList:        func() runtime.Object { return &apiextensionsv1.CustomResourceDefinitionList{} },
		Default:        resource.Do(setDefaults),
		PrepareCreate:  resource.Do(prepareCreate),
		PrepareUpdate:  resource.Do2(prepareUpdate),
		Validate:       resource.Typed(validate),
		ValidateUpdate: resource.Typed2(validateUpdate),
		Warnings:       warnings,
		AnyFinalizer:   true,
		LooseMetadata:  true, // the rules check it
		HashedAs:       "v1beta1",
		Columns:        meta.NameAndCreated(),
		Row:            meta.NameAndCreatedRow,
		Status: &resource.Subresource{
			NoTables:       true,
			PrepareUpdate:  resource.Do2(prepareStatus),
			ValidateUpdate: resource.Typed2(validateStatus),
		},
	}
}

func setDefaults(d *apiextensionsv1.CustomResourceDefinition) {
	apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(d)
	spell(d)
	if w := d.Spec.Conversion.Webhook; w != nil && w.ConversionReviewVersions == nil {
		dropWebhook(d)
	}
}

// dropWebhook leaves out a conversion webhook of which nothing is said: upstream loses it where it turns a definition into its
// internal type, and one whose list of versions is empty where it stores that.
func dropWebhook(d *apiextensionsv1.CustomResourceDefinition) {
	if c := d.Spec.Conversion; c != nil && c.Webhook != nil && c.Webhook.ClientConfig == nil && len(c.Webhook.ConversionReviewVersions) == 0 {
		c.Webhook = nil
	}
}

func prepareCreate(d *apiextensionsv1.CustomResourceDefinition) {
	dropWebhook(d)
	d.Status = apiextensionsv1.CustomResourceDefinitionStatus{}
	d.Generation = 1
	addStoredVersion(d)
}

func prepareUpdate(d, old *apiextensionsv1.CustomResourceDefinition) {
	dropWebhook(d)
	d.Status = *old.Status.DeepCopy()
	meta.CountGeneration(d, old, !equality.Semantic.DeepEqual(old.Spec, d.Spec))
	addStoredVersion(d)
}

func prepareStatus(d, old *apiextensionsv1.CustomResourceDefinition) {
	d.Spec = old.Spec
	d.DeletionTimestamp, d.Generation, d.SelfLink = old.DeletionTimestamp, old.Generation, old.SelfLink
}

// addStoredVersion notes that objects may now be stored in the storage version; only people take versions off the list.
func addStoredVersion(d *apiextensionsv1.CustomResourceDefinition) {
	for i := range d.Spec.Versions {
		if v := &d.Spec.Versions[i]; v.Storage {
			if !slices.Contains(d.Status.StoredVersions, v.Name) { // "" too, which is refused as a name alone
				d.Status.StoredVersions = append(d.Status.StoredVersions, v.Name)
			}
			return
		}
	}
}

// StorageVersion is the version in which objects are stored, or "" of a definition that names none.
func StorageVersion(d *apiextensionsv1.CustomResourceDefinition) string {
	for i := range d.Spec.Versions {
		if d.Spec.Versions[i].Storage {
			return d.Spec.Versions[i].Name
		}
	}
	return ""
}

// MarkDeleting is what the first deletion does to a definition: its objects go before it does.
func MarkDeleting(d *apiextensionsv1.CustomResourceDefinition, now time.Time) {
	at := metav1.NewTime(now).Rfc3339Copy()
	d.DeletionTimestamp = &at
	if !slices.Contains(d.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer) {
		d.Finalizers = append(d.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer)
	}
	SetCondition(d, apiextensionsv1.CustomResourceDefinitionCondition{
		Type: apiextensionsv1.Terminating, Status: apiextensionsv1.ConditionTrue, Reason: "InstanceDeletionPending",
		Message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
	}, now)
}

// Condition finds a condition, or returns nil.
func Condition(d *apiextensionsv1.CustomResourceDefinition, kind apiextensionsv1.CustomResourceDefinitionConditionType) *apiextensionsv1.CustomResourceDefinitionCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == kind {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// Is says whether a condition is true.
func Is(d *apiextensionsv1.CustomResourceDefinition, kind apiextensionsv1.CustomResourceDefinitionConditionType) bool {
	c := Condition(d, kind)
	return c != nil && c.Status == apiextensionsv1.ConditionTrue
}

// SetCondition puts a condition in its place, and says whether that changed anything. The time is kept while the status stays.
func SetCondition(d *apiextensionsv1.CustomResourceDefinition, wanted apiextensionsv1.CustomResourceDefinitionCondition, now time.Time) (changed bool) {
	wanted.LastTransitionTime = metav1.NewTime(now).Rfc3339Copy()
	have := Condition(d, wanted.Type)
	if have == nil {
		d.Status.Conditions = append(d.Status.Conditions, wanted)
		return true
	}
	if have.Status == wanted.Status && !have.LastTransitionTime.IsZero() {
		wanted.LastTransitionTime = have.LastTransitionTime
	}
	changed = have.Status != wanted.Status || have.Reason != wanted.Reason || have.Message != wanted.Message
	*have = wanted
	return changed
}

// converted is the definition as the library's rules want it.
func converted(d *apiextensionsv1.CustomResourceDefinition) (*internal.CustomResourceDefinition, error) {
	out := &internal.CustomResourceDefinition{}
	return out, apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(d, out, nil)
}
