package encode

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func statusError(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
}

// StatusOf gives an error as clients see it. Errors that are no API status are answered as they are, with 500.
func StatusOf(err error) *metav1.Status {
	var status apierrors.APIStatus
	var s metav1.Status
	if errors.As(err, &status) {
		s = status.Status()
		if s.Status == "" {
			s.Status = metav1.StatusFailure
		}
	} else {
		s = metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: err.Error()}
	}
	s.Kind, s.APIVersion = "Status", "v1"
	return &s
}
