package apiregistration

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Group is the API group of APIServices.
const Group = "apiregistration.k8s.io"

// APIService is the row of apiservices: a version of a group, and which Service serves it, if it is not the API server itself.
func APIService() *resource.Resource {
	return &resource.Resource{
		Group: Group, Version: "v1", Name: "apiservices", Singular: "apiservice", Kind: "APIService",
		Categories:     []string{"api-extensions"},
		AnyFinalizer:   true,
		New:            func() resource.Object { return &apiregistrationv1.APIService{} },
		NewList:        func() runtime.Object { return &apiregistrationv1.APIServiceList{} },
		Default:        resource.Do(defaultPort),
		PrepareCreate:  resource.Do(prepareCreate),
		PrepareUpdate:  resource.Do2(func(s, old *apiregistrationv1.APIService) { s.Status = *old.Status.DeepCopy() }),
		ValidateNameOf: nameRule,
		Validate:       resource.Typed(validate),
		ValidateUpdate: resource.Typed2(func(s, _ *apiregistrationv1.APIService) field.ErrorList {
			return validate(s)
		}),
		Reset: map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			NoTables: true,
			Name:     "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(s, old *apiregistrationv1.APIService) {
				before := old.DeepCopy()
				s.Spec, s.Labels, s.Annotations = before.Spec, before.Labels, before.Annotations
				s.Finalizers, s.OwnerReferences = before.Finalizers, before.OwnerReferences
			}),
			ValidateUpdate: resource.Typed2(validateStatus),
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Service", "The reference to the service that hosts this API endpoint."),
			meta.Column("Available", "Whether this service is available."),
			meta.Age(),
		},
		Row: resource.Typed(row),
	}
}

func defaultPort(s *apiregistrationv1.APIService) {
	if s.Spec.Service != nil && s.Spec.Service.Port == nil {
		s.Spec.Service.Port = new(int32(443))
	}
}

// prepareCreate: what the API server serves itself is there at once.
func prepareCreate(s *apiregistrationv1.APIService) {
	s.Status = apiregistrationv1.APIServiceStatus{}
	if s.Spec.Service == nil {
		SetAvailable(s, Local(s.CreationTimestamp))
	}
}

// Local is the condition of what the API server serves itself.
func Local(now metav1.Time) apiregistrationv1.APIServiceCondition {
	return apiregistrationv1.APIServiceCondition{Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionTrue,
		LastTransitionTime: now, Reason: "Local", Message: "Local APIServices are always available"}
}

// Available is the condition that says whether requests can be sent to the Service, or nil.
func Available(s *apiregistrationv1.APIService) *apiregistrationv1.APIServiceCondition {
	for i := range s.Status.Conditions {
		if s.Status.Conditions[i].Type == apiregistrationv1.Available {
			return &s.Status.Conditions[i]
		}
	}
	return nil
}

// IsAvailable says whether requests can be sent to the Service.
func IsAvailable(s *apiregistrationv1.APIService) bool {
	c := Available(s)
	return c != nil && c.Status == apiregistrationv1.ConditionTrue
}

// SetAvailable puts a condition on the object, with the time of the last change of its status, and says whether anything is new.
func SetAvailable(s *apiregistrationv1.APIService, c apiregistrationv1.APIServiceCondition) bool {
	old := Available(s)
	if old == nil {
		s.Status.Conditions = append(s.Status.Conditions, c)
		return true
	}
	if old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	changed := *old != c
	*old = c
	return changed
}

// Name is the name that the object of a version must have.
func Name(gv schema.GroupVersion) string { return gv.Version + "." + gv.Group }

// nameRule wants the name of the version, as of a generateName too.
func nameRule(obj resource.Object) func(name string, prefix bool) []string {
	spec := &obj.(*apiregistrationv1.APIService).Spec
	return func(name string, _ bool) []string {
		if wrong := content.IsPathSegmentName(name); len(wrong) > 0 {
			return wrong
		}
		if want := Name(schema.GroupVersion{Group: spec.Group, Version: spec.Version}); name != want {
			return []string{fmt.Sprintf("must be `spec.version+\".\"+spec.group`: %q", want)}
		}
		return nil
	}
}

func validate(s *apiregistrationv1.APIService) field.ErrorList {
	var errs field.ErrorList
	spec, path := &s.Spec, field.NewPath("spec")
	switch {
	case spec.Group != "":
		errs = append(errs, meta.Each(path.Child("group"), spec.Group, utilvalidation.IsDNS1123Subdomain(spec.Group))...)
	case spec.Version != "v1":
		errs = append(errs, field.Required(path.Child("group"), "only v1 may have an empty group and it better be legacy kube"))
	}
	errs = append(errs, meta.Each(path.Child("version"), spec.Version, utilvalidation.IsDNS1035Label(spec.Version))...)
	if n := spec.GroupPriorityMinimum; n <= 0 || n > 20000 {
		errs = append(errs, field.Invalid(path.Child("groupPriorityMinimum"), n, "must be positive and less than 20000"))
	}
	if n := spec.VersionPriority; n <= 0 || n > 1000 {
		errs = append(errs, field.Invalid(path.Child("versionPriority"), n, "must be positive and less than 1000"))
	}
	if spec.Service == nil {
		return append(errs, validateLocal(spec, path)...)
	}
	return append(errs, validateService(spec, path)...)
}

// validateLocal: there is nobody to be trusted.
func validateLocal(spec *apiregistrationv1.APIServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(spec.CABundle); n != 0 {
		errs = append(errs, field.Invalid(path.Child("caBundle"), fmt.Sprintf("%d bytes", n), "local APIServices may not have a caBundle"))
	}
	if spec.InsecureSkipTLSVerify {
		errs = append(errs, field.Invalid(path.Child("insecureSkipTLSVerify"), true, "local APIServices may not have insecureSkipTLSVerify"))
	}
	return errs
}

func validateService(spec *apiregistrationv1.APIServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at, service := path.Child("service"), spec.Service
	if service.Namespace == "" {
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	}
	if service.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	if service.Port != nil {
		for _, message := range utilvalidation.IsValidPortNum(int(*service.Port)) {
			errs = append(errs, field.Invalid(at.Child("port"), *service.Port, "port is not valid: "+message))
		}
	}
	if spec.InsecureSkipTLSVerify && len(spec.CABundle) > 0 {
		errs = append(errs, field.Invalid(path.Child("insecureSkipTLSVerify"), true, "may not be true if caBundle is present"))
	}
	return errs
}

func validateStatus(s, _ *apiregistrationv1.APIService) field.ErrorList {
	known := []apiregistrationv1.ConditionStatus{apiregistrationv1.ConditionTrue, apiregistrationv1.ConditionFalse, apiregistrationv1.ConditionUnknown}
	var errs field.ErrorList
	for i, c := range s.Status.Conditions {
		if c.Status != known[0] && c.Status != known[1] && c.Status != known[2] {
			errs = append(errs, field.NotSupported(field.NewPath("status", "conditions").Index(i).Child("status"), c.Status, known))
		}
	}
	return errs
}

func row(s *apiregistrationv1.APIService) []any {
	service, status := "Local", string(apiregistrationv1.ConditionUnknown)
	if r := s.Spec.Service; r != nil {
		service = r.Namespace + "/" + r.Name
	}
	if c := Available(s); c != nil {
		status = string(c.Status)
		if c.Status != apiregistrationv1.ConditionTrue && c.Reason != "" {
			status += " (" + c.Reason + ")"
		}
	}
	return []any{s.Name, service, status, meta.Since(s.CreationTimestamp)}
}
