package reconciletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"proa/client"
	"proa/client/fake"
)

// step does what a step says, as a user.
func (p *player) step(d *datadriven.TestData) error {
	ctx := context.Background()
	switch d.Cmd {
	case "run":
		return nil
	case "put", "apply":
		return p.objects(ctx, d)
	case "patch":
		body, err := yaml.YAMLToJSON([]byte(d.Input))
		if err != nil {
			return err
		}
		_, err = p.user.Patch(ctx, refOf(d), arg(d, "sub"), types.MergePatchType, body, metav1.PatchOptions{})
		return err
	case "delete":
		return p.user.Delete(ctx, refOf(d), deleteOptions(d))
	case "pods":
		p.pods(d)
		return nil
	case "fault":
		p.fault(d)
		return nil
	}
	return errors.New("no such step")
}

func arg(d *datadriven.TestData, key string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return ""
}

func refOf(d *datadriven.TestData) client.Ref {
	ref := client.Ref{Table: arg(d, "table"), Name: arg(d, "name")}
	if namespace, name, ok := strings.Cut(ref.Name, "/"); ok {
		ref.Namespace, ref.Name = namespace, name
	}
	return ref
}

func deleteOptions(d *datadriven.TestData) metav1.DeleteOptions {
	var opts metav1.DeleteOptions
	if p := metav1.DeletionPropagation(arg(d, "propagation")); p != "" {
		opts.PropagationPolicy = &p
	}
	if g, err := strconv.ParseInt(arg(d, "grace"), 10, 64); err == nil {
		opts.GracePeriodSeconds = &g
	}
	return opts
}

func (p *player) objects(ctx context.Context, d *datadriven.TestData) error {
	for doc := range strings.SplitSeq(d.Input, "\n---\n") {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(doc), &meta); err != nil {
			return err
		}
		row := p.kinds.ByKind(schema.FromAPIVersionAndKind(meta.APIVersion, meta.Kind))
		if row == nil {
			return fmt.Errorf("no kind %s %s", meta.APIVersion, meta.Kind)
		}
		obj := row.New()
		if err := yaml.UnmarshalStrict([]byte(doc), obj); err != nil {
			return err
		}
		obj.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{}) // as views have it
		if obj.GetNamespace() == "" && row.Namespaced {
			obj.SetNamespace("default")
		}
		if d.Cmd == "put" {
			p.api.Put(obj)
			continue
		}
		if err := p.apply(ctx, client.RefOf(row.Table(), obj), obj); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) apply(ctx context.Context, ref client.Ref, obj client.Object) error {
	old := p.user.View().Get(ref)
	if old == nil {
		_, err := p.user.Create(ctx, ref, "", obj, metav1.CreateOptions{})
		return err
	}
	if obj.GetAnnotations() == nil { // as kubectl apply: what others have set stays
		obj.SetAnnotations(old.GetAnnotations())
	}
	_, err := p.user.Update(ctx, ref, "", obj, metav1.UpdateOptions{})
	return err
}

// pods plays the node agents.
func (p *player) pods(d *datadriven.TestData) {
	var all []*corev1.Pod
	for pod := range client.List[*corev1.Pod](p.user.View(), "pods", "") {
		all = append(all, pod)
	}
	for _, pod := range all {
		if !strings.Contains(pod.Name, arg(d, "only")) {
			continue
		}
		if pod.DeletionTimestamp != nil {
			zero := int64(0)
			_ = p.user.Delete(context.Background(), client.RefOf("pods", pod), metav1.DeleteOptions{GracePeriodSeconds: &zero})
			continue
		}
		next := pod.DeepCopy()
		if next.Spec.NodeName == "" {
			next.Spec.NodeName = place(next)
		}
		state := ""
		if len(d.CmdArgs) > 0 {
			state = d.CmdArgs[0].Key
		}
		p.setState(next, state)
		p.api.Put(next)
	}
}

// place plays the scheduler: a pod that is pinned to a node goes there, others to the one node that there always is.
func place(pod *corev1.Pod) string {
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, r := range term.MatchFields {
				return r.Values[0]
			}
		}
	}
	return "node-1"
}

func (p *player) setState(pod *corev1.Pod, state string) {
	ready := corev1.ConditionFalse
	switch state {
	case "succeeded":
		pod.Status.Phase = corev1.PodSucceeded
		return
	case "failed":
		pod.Status.Phase = corev1.PodFailed
	case "ready":
		ready = corev1.ConditionTrue
		fallthrough
	case "running":
		pod.Status.Phase = corev1.PodRunning
	default:
		return
	}
	if pod.Status.PodIP == "" {
		p.addresses++
		pod.Status.PodIP = fmt.Sprintf("10.0.0.%d", p.addresses)
		pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			if c.Status != ready {
				c.Status, c.LastTransitionTime = ready, metav1.NewTime(p.now)
			}
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(p.now),
	})
}

// fault makes writes of the controllers fail.
func (p *player) fault(d *datadriven.TestData) {
	verb, table, sub := arg(d, "verb"), arg(d, "table"), arg(d, "sub")
	times, err := strconv.Atoi(arg(d, "times"))
	if err != nil {
		times = -1
	}
	text := arg(d, "error")
	p.api.Fault(func(a fake.Action) error {
		if a.Identity == "user" || a.Verb != verb || a.Ref.Table != table || a.Sub != sub || times == 0 {
			return nil
		}
		times--
		return faultOf(text, p.kinds.ByTable(table).GroupResource(), a.Ref.Name)
	})
}

func faultOf(text string, resource schema.GroupResource, name string) error {
	switch text {
	case "":
		return nil
	case "conflict":
		return apierrors.NewConflict(resource, name, errors.New("the object has been modified"))
	case "notfound":
		return apierrors.NewNotFound(resource, name)
	case "exists":
		return apierrors.NewAlreadyExists(resource, name)
	case "forbidden":
		return apierrors.NewForbidden(resource, name, errors.New("quota exceeded"))
	case "terminating":
		err := apierrors.NewForbidden(resource, name, errors.New("namespace is being terminated"))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
		return err
	}
	return apierrors.NewInternalError(errors.New(text))
}

// show prints objects.
func (p *player) show(d *datadriven.TestData) error {
	ref := refOf(d)
	for obj := range p.user.View().List(ref.Table, "") {
		if ref.Name != "" && (obj.GetName() != ref.Name || obj.GetNamespace() != ref.Namespace) {
			continue
		}
		text, err := fieldText(obj, arg(d, "field"))
		if err != nil {
			return err
		}
		fmt.Fprintf(&p.out, "%s/%s\n", obj.GetNamespace(), obj.GetName())
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			fmt.Fprintf(&p.out, "  %s\n", line)
		}
	}
	return nil
}

func fieldText(obj client.Object, path string) (string, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return "", err
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return "", err
	}
	if path != "" {
		for part := range strings.SplitSeq(path, ".") {
			m, _ := value.(map[string]any)
			value = m[part]
		}
	}
	text, err := yaml.Marshal(value)
	return string(text), err
}
