package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	admissionv1beta1 "k8s.io/api/admission/v1beta1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"proa/apiserver/admit/review"
	"proa/apiserver/auth"
)

// admissionReview is a request in the version that the webhook reads best.
type admissionReview struct {
	uid      types.UID
	version  string
	document any
}

// newReview makes the request. Both versions have the same fields.
func newReview(versions []string, w *review.Write, form review.Form) (admissionReview, error) {
	request, err := newRequest(w, form)
	if err != nil {
		return admissionReview{}, err
	}
	for _, version := range versions {
		r := admissionReview{uid: request.UID, version: version}
		switch version {
		case "v1":
			document := &admissionv1.AdmissionReview{Request: request}
			document.SetGroupVersionKind(gvk(version))
			r.document = document
			return r, nil
		case "v1beta1":
			old := admissionv1beta1.AdmissionRequest{UID: request.UID, Kind: request.Kind, Resource: request.Resource, SubResource: request.SubResource,
				RequestKind: request.RequestKind, RequestResource: request.RequestResource, RequestSubResource: request.RequestSubResource,
				Name: request.Name, Namespace: request.Namespace, Operation: admissionv1beta1.Operation(request.Operation),
				UserInfo: request.UserInfo, Object: request.Object, OldObject: request.OldObject, DryRun: request.DryRun, Options: request.Options}
			document := &admissionv1beta1.AdmissionReview{Request: &old}
			document.SetGroupVersionKind(gvk(version))
			r.document = document
			return r, nil
		}
	}
	return admissionReview{}, errors.New("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
}

func newRequest(w *review.Write, form review.Form) (*admissionv1.AdmissionRequest, error) {
	now, old, err := w.Objects(form)
	if err != nil {
		return nil, err
	}
	asked, dryRun := w.Asked(), w.DryRun
	return &admissionv1.AdmissionRequest{
		UID: uuid.NewUUID(), Kind: metav1.GroupVersionKind(form.Kind), Resource: metav1.GroupVersionResource(form.Resource), SubResource: w.Subresource,
		RequestKind: (*metav1.GroupVersionKind)(&asked.Kind), RequestResource: (*metav1.GroupVersionResource)(&asked.Resource), RequestSubResource: w.Subresource,
		Name: w.Named(), Namespace: w.Where(), Operation: admissionv1.Operation(w.Does()), UserInfo: userInfo(w.User),
		Object: runtime.RawExtension{Object: now}, OldObject: runtime.RawExtension{Object: old}, DryRun: &dryRun, Options: runtime.RawExtension{Object: w.Options},
	}, nil
}

func userInfo(u auth.User) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.Name, UID: u.UID, Groups: u.Groups, Extra: map[string]authenticationv1.ExtraValue{}}
	for key, values := range u.Extra {
		info.Extra[key] = values
	}
	return info
}

// answer is what a webhook said.
type answer struct {
	allowed     bool
	patch       []byte
	patchType   admissionv1.PatchType
	result      *metav1.Status
	annotations map[string]string
	warnings    []string
}

// read checks an answer against the request. v1beta1 never asked for its version, its UID or the type of its patch.
func (r *admissionReview) read(body []byte, mutating bool) (*answer, error) {
	var got admissionv1.AdmissionReview // of both versions, which have the same fields
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, fmt.Errorf("failed to call webhook: %w", err)
	}
	invalid := func(format string, args ...any) (*answer, error) {
		return nil, fmt.Errorf("received invalid webhook response: "+format, args...)
	}
	response := got.Response
	if response == nil {
		return invalid("webhook response was absent")
	}
	a := &answer{allowed: response.Allowed, patch: response.Patch, result: response.Result, annotations: response.AuditAnnotations, warnings: response.Warnings}
	if r.version == "v1beta1" {
		a.patchType = admissionv1.PatchTypeJSONPatch
		if !mutating {
			a.patch = nil
		}
		return a, nil
	}
	switch hasPatch, typed := len(response.Patch) > 0, response.PatchType != nil; {
	case response.UID != r.uid:
		return invalid("expected response.uid=%q, got %q", r.uid, response.UID)
	case got.GroupVersionKind() != gvk("v1"):
		return invalid("expected webhook response of %v, got %v", gvk("v1"), got.GroupVersionKind())
	case !mutating && hasPatch:
		return invalid("validating webhook may not return response.patch")
	case !mutating && typed:
		return invalid("validating webhook may not return response.patchType")
	case hasPatch && !typed:
		return invalid("webhook returned response.patch but not response.patchType")
	case typed && !hasPatch:
		return invalid("webhook returned response.patchType but not response.patch")
	case typed && *response.PatchType == "":
		return invalid("webhook returned invalid response.patchType of %q", *response.PatchType)
	case typed:
		a.patchType = *response.PatchType
	}
	return a, nil
}

// refusal is the error of a write that a webhook did not allow.
func refusal(webhook string, result *metav1.Status) error {
	status := metav1.Status{}
	if result != nil {
		status = *result
	}
	if status.Code < http.StatusBadRequest {
		status.Code = http.StatusBadRequest
	}
	if status.Status == "" || status.Status == metav1.StatusSuccess {
		status.Status = metav1.StatusFailure
	}
	why := fmt.Sprintf("admission webhook %q denied the request", webhook)
	switch {
	case status.Message != "":
		status.Message = why + ": " + status.Message
	case status.Reason != "":
		status.Message = why + ": " + string(status.Reason)
	default:
		status.Message = why + " without explanation"
	}
	return &apierrors.StatusError{ErrStatus: status}
}
