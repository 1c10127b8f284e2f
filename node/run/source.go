package run

import (
	"context"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
)

// source reads what containers refer to. Config maps and secrets are read past any cache: a node may read only those
// of its pods, so a remote agent holds no table of them.
type source struct {
	ctx    context.Context
	client client.Client
}

// ConfigMap implements cri.Source.
func (s source) ConfigMap(namespace, name string) (*v1.ConfigMap, error) {
	o, err := s.client.GetLive(s.ctx, client.Ref{Table: "configmaps", Namespace: namespace, Name: name})
	if err != nil {
		return nil, named(err, "configmap", name)
	}
	return o.(*v1.ConfigMap), nil
}

// Secret implements cri.Source.
func (s source) Secret(namespace, name string) (*v1.Secret, error) {
	o, err := s.client.GetLive(s.ctx, client.Ref{Table: "secrets", Namespace: namespace, Name: name})
	if err != nil {
		return nil, named(err, "secret", name)
	}
	return o.(*v1.Secret), nil
}

// named says `configmap "x" not found`, as users know it.
func named(err error, kind, name string) error {
	if apierrors.IsNotFound(err) {
		return apierrors.NewNotFound(v1.Resource(kind), name)
	}
	return err
}

// Services implements cri.Source.
func (s source) Services(namespace string) []*v1.Service {
	var all []*v1.Service
	for service := range client.List[*v1.Service](s.client.View(), "services", namespace) {
		all = append(all, service)
	}
	return all
}
