package certificate

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

// How long requests are kept, as upstream's.
const (
	afterDecision = time.Hour      // once they are denied, have failed, or have their certificate
	undecided     = 24 * time.Hour // while nobody has decided, or signed
)

// NewCleaner makes the controller that deletes requests that are over.
func NewCleaner() reconcile.Controller {
	return reconcile.Controller{
		Name: "csrcleaner", Identity: identity,
		Reads:     []reconcile.Read{{Table: table, Keys: reconcile.Self}},
		Deletes:   []string{table},
		Reconcile: clean,
	}
}

func clean(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	r, ok := client.Get[*request](req.View, table, "", req.Name)
	if !ok || r.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	due, ok := over(r)
	if !ok {
		return reconcile.Result{}, nil
	}
	if wait := due.Sub(req.Now); wait > 0 {
		return reconcile.Result{After: wait}, nil
	}
	err := req.Client.Delete(ctx, client.RefOf(table, r), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &r.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("delete certificate request %s: %w", r.Name, err)
	}
	return reconcile.Result{}, nil
}

// over is when a request has to go: the earliest time at which anything about it is past.
func over(r *request) (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	past := func(t metav1.Time, keep time.Duration) {
		if !t.IsZero() {
			earliest(t.Add(keep))
		}
	}
	if len(r.Status.Conditions) == 0 {
		past(r.CreationTimestamp, undecided)
	}
	issued := len(r.Status.Certificate) > 0
	for _, c := range r.Status.Conditions {
		switch {
		case c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed:
			past(c.LastUpdateTime, afterDecision)
		case c.Type == certificatesv1.CertificateApproved && issued:
			past(c.LastUpdateTime, afterDecision)
			earliest(expiry(r.Status.Certificate))
		case c.Type == certificatesv1.CertificateApproved:
			past(c.LastUpdateTime, undecided)
		}
	}
	return at, ok
}

// expiry is when the first certificate of a bundle ends; zero if it cannot be read.
func expiry(bundle []byte) time.Time {
	block, _ := pem.Decode(bundle)
	if block == nil {
		return time.Time{}
	}
	all, err := x509.ParseCertificates(block.Bytes)
	if err != nil || len(all) == 0 {
		return time.Time{}
	}
	return all[0].NotAfter
}
