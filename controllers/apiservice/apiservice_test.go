package apiservice_test

import (
	"context"
	"errors"
	"testing"

	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/controllers/apiservice"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// Services whose name says so do not answer.
func check(_ context.Context, s *apiregistrationv1.APIService) error {
	if s.Spec.Service.Name == "silent" {
		return errors.New("failing or missing response from https://silent.a.svc:443/apis/b/v1: connection refused")
	}
	return nil
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{apiservice.New(check), apiservice.NewRegistrar()}
	})
}
