package webhook

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	api "k8s.io/apiserver/pkg/apis/apiserver"
	apiv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authorizationcel "k8s.io/apiserver/pkg/authorization/cel"
	"sigs.k8s.io/yaml"

	"proa/apiserver/auth"
)

// Order keeps an authorizer's steps as a file says, an AuthorizationConfiguration of apiserver.config.k8s.io/v1.
type Order struct {
	file   string
	access *auth.Access
	log    *slog.Logger
	now    func() time.Time
	read   []byte // the file as it is in force
}

// NewOrder reads the file and puts it in force.
func NewOrder(file string, access *auth.Access, log *slog.Logger, now func() time.Time) (*Order, error) {
	o := &Order{file: file, access: access, log: log, now: now}
	return o, o.reload()
}

// Run looks at the file whenever tick says so, until ctx ends. A file that is wrong changes nothing, and is logged.
func (o *Order) Run(ctx context.Context, tick <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if err := o.reload(); err != nil {
			o.log.Error("the former authorization configuration stays in force", "error", err)
		}
	}
}

func (o *Order) reload() error {
	data, err := os.ReadFile(o.file)
	if err != nil {
		return fmt.Errorf("read authorization configuration: %w", err)
	}
	if o.read != nil && bytes.Equal(o.read, data) {
		return nil
	}
	steps, err := o.steps(data)
	if err != nil {
		return fmt.Errorf("authorization configuration %s: %w", o.file, err)
	}
	o.read = data
	o.access.SetSteps(steps)
	return nil
}

func (o *Order) steps(data []byte) ([]auth.Step, error) {
	c, err := decode(data)
	if err != nil {
		return nil, err
	}
	known := sets.New("Node", "RBAC", "Webhook")
	if errs := validation.ValidateAuthorizationConfiguration(authorizationcel.NewDefaultCompiler(), nil, c, known, sets.New("Webhook")); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	var steps []auth.Step
	for i := range c.Authorizers {
		switch a := &c.Authorizers[i]; a.Type {
		case "Node":
			steps = append(steps, o.access.NodeStep)
		case "RBAC":
			steps = append(steps, o.access.RBACStep)
		default:
			w, err := newAccess(a.Name, a.Webhook, o.now)
			if err != nil {
				return nil, err
			}
			steps = append(steps, w.decide)
		}
	}
	return steps, nil
}

// decode reads a file strictly: a field that is misspelled would let somebody in, or out.
func decode(data []byte) (*api.AuthorizationConfiguration, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	const version, name = "apiserver.config.k8s.io/v1", "AuthorizationConfiguration"
	if kind.APIVersion != version || kind.Kind != name {
		return nil, fmt.Errorf("it holds a %s of %s: expected %s of %s", kind.Kind, kind.APIVersion, name, version)
	}
	var read apiv1.AuthorizationConfiguration
	if err := yaml.UnmarshalStrict(data, &read); err != nil {
		return nil, err
	}
	for i := range read.Authorizers {
		if read.Authorizers[i].Webhook != nil {
			apiv1.SetDefaults_WebhookConfiguration(read.Authorizers[i].Webhook)
		}
	}
	var c api.AuthorizationConfiguration
	if err := apiv1.Convert_v1_AuthorizationConfiguration_To_apiserver_AuthorizationConfiguration(&read, &c, nil); err != nil {
		return nil, err
	}
	return &c, nil
}
