package daemon

import (
	"context"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"proa/apiserver/callout"
	"proa/apiserver/custom"
)

// openCustom makes the kinds that users have defined.
func (c *control) openCustom() (*custom.Kinds, error) {
	caller, err := callout.New(callout.Config{Source: c.store})
	if err != nil {
		return nil, err
	}
	call := func(ctx context.Context, hook *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error) {
		endpoint, err := caller.Endpoint(conversionTarget(hook))
		if err != nil {
			return nil, err
		}
		return endpoint.Post(ctx, nil, body)
	}
	return custom.New(custom.Config{Store: c.store, Kinds: c.kinds, Call: call, Log: c.cfg.Log})
}

// conversionTarget is where a conversion webhook is.
func conversionTarget(hook *apiextensionsv1.WebhookClientConfig) callout.Target {
	t := callout.Target{CABundle: hook.CABundle}
	if hook.URL != nil {
		t.URL = *hook.URL
	}
	if s := hook.Service; s != nil {
		t.Service = &callout.Service{Namespace: s.Namespace, Name: s.Name}
		if s.Port != nil {
			t.Service.Port = *s.Port
		}
		if s.Path != nil {
			t.Service.Path = *s.Path
		}
	}
	return t
}
