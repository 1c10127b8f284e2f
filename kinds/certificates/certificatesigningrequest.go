package certificates

import (
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

type request = certificatesv1.CertificateSigningRequest

// CertificateSigningRequest is the row of certificatesigningrequests. Nobody changes one but through its two doors: who
// approves adds conditions, who signs adds the certificate.
func CertificateSigningRequest() *resource.Resource {
	// Upstream describes the columns in the words of the version that came first.
	spec, status := certificatesv1beta1.CertificateSigningRequestSpec{}.SwaggerDoc(), certificatesv1beta1.CertificateSigningRequestStatus{}.SwaggerDoc()
	return &resource.Resource{
		Group: certificatesv1.GroupName, Version: "v1", Name: "certificatesigningrequests", Singular: "certificatesigningrequest",
		Kind: "CertificateSigningRequest", ShortNames: []string{"csr"},
		New:           func() resource.Object { return &request{} },
		NewList:       func() runtime.Object { return &certificatesv1.CertificateSigningRequestList{} },
		PrepareCreate: resource.Do(func(r *request) { r.Status = certificatesv1.CertificateSigningRequestStatus{} }),
		RecordCreate:  func(obj resource.Object, by authenticationv1.UserInfo) { recordRequester(obj.(*request), by) },
		PrepareUpdate: resource.Do2(func(r, old *request) {
			stored := old.DeepCopy()
			r.Spec, r.Status = stored.Spec, stored.Status
		}),
		Validate:                 resource.Typed(validateCreate),
		ValidateUpdate:           resource.Typed2(validateUpdate),
		ValidateName:             func(string, bool) []string { return nil }, // it need only fit in a path
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name:           "status",
			PrepareUpdate:  resource.Do2(prepareStatus),
			RecordUpdate:   recordTimes,
			ValidateUpdate: resource.Typed2(validateStatus),
		},
		Subresources: []resource.Subresource{{
			Name: "approval", NoTables: true, Verbs: []string{"get", "patch", "update"},
			PrepareUpdate:  resource.Do2(prepareApproval),
			RecordUpdate:   recordTimes,
			ValidateUpdate: resource.Typed2(validateApproval),
		}},
		Reset: map[string][]string{
			"":         {"spec", "status"},
			"status":   {"spec", "status.conditions"},
			"approval": {"spec", "status.certificate"},
		},
		Columns: []resource.Column{
			meta.Name(), meta.Age(), meta.Column("SignerName", spec["signerName"]), meta.Column("Requestor", spec["request"]),
			meta.Column("RequestedDuration", spec["expirationSeconds"]), meta.Column("Condition", status["conditions"]),
		},
		Row: resource.Typed(func(r *request) []any {
			return []any{r.Name, meta.Since(r.CreationTimestamp), orNone(r.Spec.SignerName), r.Spec.Username, requestedDuration(r), state(r)}
		}),
		FieldLabels: []string{"spec.signerName"},
		Fields:      resource.Typed(func(r *request) fields.Set { return fields.Set{"spec.signerName": r.Spec.SignerName} }),
	}
}

// recordRequester keeps who asked, whatever the request says about it: approvers rely on it.
func recordRequester(r *request, by authenticationv1.UserInfo) {
	r.Spec.Username, r.Spec.UID, r.Spec.Groups, r.Spec.Extra = by.Username, by.UID, slices.Clone(by.Groups), nil
	for key, values := range by.Extra {
		if r.Spec.Extra == nil {
			r.Spec.Extra = map[string]certificatesv1.ExtraValue{}
		}
		r.Spec.Extra[key] = certificatesv1.ExtraValue(slices.Clone(values))
	}
}

// prepareStatus keeps the decision as it is: the signer has no say in it. A status with another number of
// decisions is left for validation to refuse.
func prepareStatus(r, old *request) {
	r.Spec = old.DeepCopy().Spec
	for _, decision := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied} {
		was, is := indexes(old, decision), indexes(r, decision)
		if len(was) != len(is) {
			continue
		}
		for i := range was {
			r.Status.Conditions[is[i]] = *old.Status.Conditions[was[i]].DeepCopy()
		}
	}
}

func prepareApproval(r, old *request) {
	conditions := r.Status.Conditions
	stored := old.DeepCopy()
	r.Spec, r.Status = stored.Spec, stored.Status
	r.Status.Conditions = conditions
}

func indexes(r *request, kind certificatesv1.RequestConditionType) []int {
	var found []int
	for i := range r.Status.Conditions {
		if r.Status.Conditions[i].Type == kind {
			found = append(found, i)
		}
	}
	return found
}

// recordTimes fills in when conditions were written. One that was there with the same status keeps its transition.
func recordTimes(obj, stored resource.Object, now time.Time) {
	r, old := obj.(*request), stored.(*request)
	at := metav1.NewTime(now).Rfc3339Copy()
	for i := range r.Status.Conditions {
		c := &r.Status.Conditions[i]
		if c.LastUpdateTime.IsZero() {
			c.LastUpdateTime = at
		}
		if !c.LastTransitionTime.IsZero() {
			continue
		}
		c.LastTransitionTime = at
		for _, was := range old.Status.Conditions {
			if was.Type == c.Type && was.Status == c.Status && !was.LastTransitionTime.IsZero() {
				c.LastTransitionTime = was.LastTransitionTime
				break
			}
		}
	}
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func requestedDuration(r *request) string {
	if r.Spec.ExpirationSeconds == nil {
		return "<none>"
	}
	return duration.HumanDuration(time.Duration(*r.Spec.ExpirationSeconds) * time.Second)
}

// state is the decision, and what came of it.
func state(r *request) string {
	text := "Pending"
	switch {
	case len(indexes(r, certificatesv1.CertificateDenied)) > 0:
		text = "Denied"
	case len(indexes(r, certificatesv1.CertificateApproved)) > 0:
		text = "Approved"
	}
	if len(indexes(r, certificatesv1.CertificateFailed)) > 0 {
		text += ",Failed"
	}
	if len(r.Status.Certificate) > 0 {
		text += ",Issued"
	}
	return text
}
