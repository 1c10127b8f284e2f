// Package status registers the node with the API and keeps its status and its lease true.
//
// It decides whether the node is ready and how much it offers; it owns the Node's status and the node's lease in
// kube-node-lease, and nobody else writes them. When the API is gone it tries again; when the runtime is gone the node
// says NotReady. The lease is renewed every ten seconds, the status written when it changed, or every five minutes.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"proa/client"
	"proa/node/cri"
)

// Runtime is what the node's status needs of the container runtime.
type Runtime interface {
	Info(ctx context.Context) (cri.Info, error)
	ListImages(ctx context.Context) ([]cri.ImageNames, error)
}

// Config says what the node is. All fields are required unless said otherwise.
type Config struct {
	NodeName string
	Client   client.Client // acts as system:node:NAME
	Runtime  Runtime
	IPs      []string
	Port     int32  // of the node's HTTPS API
	Version  string // shown as the kubelet's: v1.36.3
	RootDir  string // on the file system that counts as ephemeral storage
	Labels   map[string]string
	Taints   []v1.Taint
	Reserved v1.ResourceList // optional: kept from pods
	MaxPods  int64           // optional: default 110
	Headroom v1.ResourceList // optional: must stay free, or pods are evicted
	// Pressure tells which of the node's pressure conditions are true. Optional.
	Pressure func() []v1.NodeConditionType
	// NotReady says why the node is not ready for a reason that is not the runtime's, or "". Optional.
	NotReady func() string
	Log      *slog.Logger
	Now      func() time.Time // optional
}

// Reporter keeps one Node true. See Run.
type Reporter struct {
	Config
	wake    chan struct{}
	node    *v1.Node // as the API has it, as far as known; Run's goroutine alone
	written time.Time
	lease   leaseKeeper
}

const (
	interval   = 10 * time.Second
	resendIdle = 5 * time.Minute
	retryFirst = 100 * time.Millisecond

	defaultMaxPods = 110
)

// New makes a reporter; Run starts it.
func New(config Config) *Reporter {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.MaxPods == 0 {
		config.MaxPods = defaultMaxPods
	}
	r := &Reporter{Config: config, wake: make(chan struct{}, 1)}
	r.lease = leaseKeeper{client: config.Client, nodeName: config.NodeName, now: config.Now}
	return r
}

// Poke has the status looked at now: something that it shows may have changed.
func (r *Reporter) Poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run reports until ctx ends. The node stays registered.
func (r *Reporter) Run(ctx context.Context) error {
	delay := retryFirst
	for {
		err := r.report(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.Info("report node", "error", err, "again", delay)
		}
		wait := interval
		if err != nil || !r.ready() { // what keeps it from being ready may pass at any moment
			wait, delay = delay, min(2*delay, interval)
		} else {
			delay = retryFirst
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// report registers the node if need be, writes its status if it is due, and renews the lease.
func (r *Reporter) report(ctx context.Context) error {
	facts := r.gather(ctx)
	if r.node == nil {
		if err := r.register(ctx, facts); err != nil {
			return err
		}
	}
	if err := r.writeStatus(ctx, facts); err != nil {
		return err
	}
	return r.lease.renew(ctx, r.node)
}

func (r *Reporter) ready() bool {
	for i := range r.node.Status.Conditions {
		if c := &r.node.Status.Conditions[i]; c.Type == v1.NodeReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

func (r *Reporter) ref() client.Ref { return client.Ref{Table: "nodes", Name: r.NodeName} }

func (r *Reporter) register(ctx context.Context, facts Facts) error {
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: r.NodeName, Labels: r.labels()}, Spec: v1.NodeSpec{Taints: r.Taints}}
	node.Status = Build(facts, node.Status, r.Now())
	created, err := r.Client.Create(ctx, r.ref(), "", node, metav1.CreateOptions{})
	if err == nil {
		r.Log.Info("registered node", "node", r.NodeName)
		r.node = created.(*v1.Node)
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("register node: %w", err)
	}
	existing, err := r.Client.GetLive(ctx, r.ref())
	if err != nil {
		return fmt.Errorf("read node: %w", err)
	}
	r.node = existing.(*v1.Node)
	return r.label(ctx)
}

// label gives a node that was there before the labels it should have now.
func (r *Reporter) label(ctx context.Context) error {
	missing := map[string]string{}
	for k, v := range r.labels() {
		if r.node.Labels[k] != v {
			missing[k] = v
		}
	}
	if len(missing) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": missing}})
	if err != nil {
		return fmt.Errorf("encode labels: %w", err)
	}
	patched, err := r.Client.Patch(ctx, r.ref(), "", types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		r.node = nil
		return fmt.Errorf("label node: %w", err)
	}
	r.node = patched.(*v1.Node)
	return nil
}

func (r *Reporter) labels() map[string]string {
	labels := map[string]string{
		v1.LabelHostname: r.NodeName, v1.LabelOSStable: "linux", v1.LabelArchStable: arch,
		"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": arch,
	}
	for k, v := range r.Labels {
		labels[k] = v
	}
	return labels
}

func (r *Reporter) writeStatus(ctx context.Context, facts Facts) error {
	if node, ok := client.Get[*v1.Node](r.Client.View(), "nodes", "", r.NodeName); ok {
		r.node = node
	}
	now := r.Now()
	status := Build(facts, r.node.Status, now)
	if same(&r.node.Status, &status) && now.Sub(r.written) < resendIdle {
		return nil
	}
	patch, err := statusPatch(&r.node.Status, &status)
	if err != nil {
		return err
	}
	patched, err := r.Client.Patch(ctx, r.ref(), "status", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		r.node = nil // somebody deleted it: register anew
	}
	if err != nil {
		return fmt.Errorf("write status of node: %w", err)
	}
	r.node, r.written = patched.(*v1.Node), now
	return nil
}

// same compares statuses but for the heartbeat.
func same(a, b *v1.NodeStatus) bool {
	a, b = a.DeepCopy(), b.DeepCopy()
	for _, s := range []*v1.NodeStatus{a, b} {
		for i := range s.Conditions {
			s.Conditions[i].LastHeartbeatTime = metav1.Time{}
		}
	}
	return equality.Semantic.DeepEqual(a, b)
}

// statusPatch turns one status into the other. Addresses are replaced as a whole: they have no key to merge by.
func statusPatch(from, to *v1.NodeStatus) ([]byte, error) {
	before, err := json.Marshal(v1.Node{Status: *from})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	after, err := json.Marshal(v1.Node{Status: *to})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, v1.Node{})
	if err != nil {
		return nil, fmt.Errorf("compare statuses: %w", err)
	}
	if equality.Semantic.DeepEqual(from.Addresses, to.Addresses) {
		return patch, nil
	}
	var whole struct {
		Status map[string]any `json:"status"`
	}
	if err := json.Unmarshal(patch, &whole); err != nil {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	delete(whole.Status, "$setElementOrder/addresses")
	addresses := []any{map[string]string{"$patch": "replace"}}
	for _, a := range to.Addresses {
		addresses = append(addresses, a)
	}
	whole.Status["addresses"] = addresses
	return json.Marshal(whole)
}
