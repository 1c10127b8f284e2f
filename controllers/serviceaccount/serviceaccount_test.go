package serviceaccount_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"proa/controllers/serviceaccount"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		sign := func(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
			return account.Name + " by " + secret.Name, nil
		}
		return []reconcile.Controller{serviceaccount.New(), serviceaccount.NewTokens(sign, []byte("PEM")), serviceaccount.NewTracker(), serviceaccount.NewLegacyCleaner()}
	})
}
