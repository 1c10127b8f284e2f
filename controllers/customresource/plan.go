package customresource

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/api/equality"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/apiextensions"
)

type (
	definition = apiextensionsv1.CustomResourceDefinition
	condition  = apiextensionsv1.CustomResourceDefinitionCondition
	names      = apiextensionsv1.CustomResourceDefinitionNames
)

// situation is what a definition is decided by.
type situation struct {
	others []*definition // of the same group
	served bool          // requests for its objects are answered
	now    time.Time
}

// decide gives the definition with the status that it should have; it is a copy, and changed says whether it differs.
func decide(d *definition, s situation) (next *definition, changed bool) {
	next = d.DeepCopy()
	acceptNames(next, s)
	for _, c := range []struct {
		kind   apiextensionsv1.CustomResourceDefinitionConditionType
		wanted *condition
	}{
		{apiextensionsv1.NonStructuralSchema, structuralCondition(d)},
		{apiextensionsv1.KubernetesAPIApprovalPolicyConformant, approval(d)},
	} {
		if c.wanted == nil {
			next.Status.Conditions = slices.DeleteFunc(next.Status.Conditions, func(have condition) bool { return have.Type == c.kind })
			continue
		}
		apiextensions.SetCondition(next, *c.wanted, s.now)
	}
	establish(next, s)
	return next, !equality.Semantic.DeepEqual(d.Status, next.Status)
}

// acceptNames gives a definition the names that no other of its group has, and says which it cannot have.
func acceptNames(d *definition, s situation) {
	if equality.Semantic.DeepEqual(d.Spec.Names, d.Status.AcceptedNames) && apiextensions.Condition(d, apiextensionsv1.NamesAccepted) != nil {
		return
	}
	resources, kinds := taken(s.others)
	accepted := d.Status.AcceptedNames
	outcome := condition{Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionTrue, Reason: "NoConflicts", Message: "no conflicts found"}
	claim := func(reason, wanted string, have *string, used map[string]bool) {
		if wanted != *have && used[wanted] {
			outcome.Status, outcome.Reason, outcome.Message = apiextensionsv1.ConditionFalse, reason, inUse(wanted).Error()
			return
		}
		*have = wanted
	}
	wanted := d.Spec.Names
	claim("PluralConflict", wanted.Plural, &accepted.Plural, resources)
	claim("SingularConflict", wanted.Singular, &accepted.Singular, resources)
	if err := claimShort(wanted.ShortNames, accepted.ShortNames, resources); err != nil {
		outcome.Status, outcome.Reason, outcome.Message = apiextensionsv1.ConditionFalse, "ShortNamesConflict", err.Error()
	} else {
		accepted.ShortNames = wanted.ShortNames
	}
	claim("KindConflict", wanted.Kind, &accepted.Kind, kinds)
	claim("ListKindConflict", wanted.ListKind, &accepted.ListKind, kinds)
	accepted.Categories = wanted.Categories
	d.Status.AcceptedNames = accepted
	apiextensions.SetCondition(d, outcome, s.now)
	if apiextensions.Is(d, apiextensionsv1.Established) {
		return
	}
	established := condition{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionFalse, Reason: "NotAccepted", Message: "not all names are accepted"}
	if outcome.Status == apiextensionsv1.ConditionTrue {
		established.Reason, established.Message = "Installing", "the initial names have been accepted"
	}
	apiextensions.SetCondition(d, established, s.now)
}

func claimShort(wanted, have []string, used map[string]bool) error {
	var errs []error
	for _, name := range wanted {
		if !slices.Contains(have, name) && used[name] {
			errs = append(errs, inUse(name))
		}
	}
	return utilerrors.NewAggregate(errs)
}

func inUse(name string) error { return fmt.Errorf("%q is already in use", name) }

// taken are the names that others have.
func taken(others []*definition) (resources, kinds map[string]bool) {
	resources, kinds = map[string]bool{}, map[string]bool{}
	for _, o := range others {
		n := &o.Status.AcceptedNames
		for _, name := range append([]string{n.Plural, n.Singular}, n.ShortNames...) {
			resources[name] = true
		}
		kinds[n.Kind], kinds[n.ListKind] = true, true
	}
	return resources, kinds
}

// establish says that the objects can be used. It is said once they are served, so that who reads it is never refused.
func establish(d *definition, s situation) {
	if s.served && apiextensions.Is(d, apiextensionsv1.NamesAccepted) && !apiextensions.Is(d, apiextensionsv1.Established) {
		apiextensions.SetCondition(d, condition{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue,
			Reason: "InitialNamesAccepted", Message: "the initial names have been accepted"}, s.now)
	}
}

// structuralCondition says what keeps a schema from being structural (KEP-1693); nil: nothing does.
func structuralCondition(d *definition) *condition {
	var errs field.ErrorList
	if d.Spec.PreserveUnknownFields {
		errs = append(errs, field.Invalid(field.NewPath("spec", "preserveUnknownFields"), true, "must be false"))
	}
	for i, v := range d.Spec.Versions {
		if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
			continue
		}
		var in internal.CustomResourceValidation
		err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, &in, nil)
		var s *structural.Structural
		if err == nil {
			s, err = structural.NewStructural(in.OpenAPIV3Schema)
		}
		if err != nil {
			return &condition{Type: apiextensionsv1.NonStructuralSchema, Status: apiextensionsv1.ConditionUnknown, Reason: "StructuralError",
				Message: fmt.Sprintf("failed to check validation schema for version %s: %v", v.Name, err)}
		}
		errs = append(errs, structural.ValidateStructural(field.NewPath("spec", "versions").Index(i).Child("schema", "openAPIV3Schema"), s)...)
	}
	if len(errs) == 0 {
		return nil
	}
	return &condition{Type: apiextensionsv1.NonStructuralSchema, Status: apiextensionsv1.ConditionTrue, Reason: "Violations",
		Message: errs.ToAggregate().Error()}
}

// approval says whether a definition in a group of the Kubernetes community was approved (KEP-1111); nil: it is in none.
func approval(d *definition) *condition {
	if !isProtected(d.Spec.Group) {
		return nil
	}
	c := &condition{Type: apiextensionsv1.KubernetesAPIApprovalPolicyConformant, Status: apiextensionsv1.ConditionFalse}
	const key = apiextensionsv1.KubeAPIApprovedAnnotation
	text := d.Annotations[key]
	where, err := url.ParseRequestURI(text)
	switch {
	case text == "":
		c.Reason = "MissingAnnotation"
		c.Message = fmt.Sprintf("protected groups must have approval annotation %q, see https://github.com/kubernetes/enhancements/pull/1111", key)
	case strings.HasPrefix(text, "unapproved"):
		c.Reason, c.Message = "UnapprovedAnnotation", fmt.Sprintf("not approved: %q", text)
	case err == nil && where.Host != "" && where.Scheme != "":
		c.Status, c.Reason, c.Message = apiextensionsv1.ConditionTrue, "ApprovedAnnotation", "approved in "+text
	default:
		c.Reason = "InvalidAnnotation"
		c.Message = fmt.Sprintf("protected groups must have approval annotation %q with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111", key)
	}
	return c
}

func isProtected(group string) bool {
	for _, domain := range []string{"k8s.io", "kubernetes.io"} {
		if group == domain || strings.HasSuffix(group, "."+domain) {
			return true
		}
	}
	return false
}

// ending is what there is to do about the objects of a definition that is being deleted.
type ending struct {
	remove    bool      // delete the objects that are not being deleted yet
	condition condition // of Terminating
	release   bool      // take the finalizer off
}

// decideEnding wants all objects gone before the definition. left is how many there are.
func decideEnding(d *definition, left int) ending {
	c := condition{Type: apiextensionsv1.Terminating, Status: apiextensionsv1.ConditionFalse}
	switch {
	case !apiextensions.Is(d, apiextensionsv1.Established):
		c.Reason, c.Message = "NeverEstablished", "resource was never established"
		return ending{condition: c, release: true}
	case left == 0:
		c.Reason, c.Message = "InstanceDeletionCompleted", "removed all instances"
		return ending{condition: c, release: true}
	}
	c.Status, c.Reason, c.Message = apiextensionsv1.ConditionTrue, "InstanceDeletionInProgress", "CustomResource deletion is in progress"
	return ending{remove: true, condition: c}
}
