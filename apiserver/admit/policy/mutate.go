package policy

import (
	"context"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	patcher "k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"proa/apiserver/admit"
	"proa/apiserver/admit/review"
	"proa/kinds/admissionregistration"
	"proa/kinds/expression"
)

const step = "MutatingAdmissionPolicy"

// mutation changes an object as one expression says.
type mutation struct {
	patcher patcher.Patcher
}

func mutatingRules(spec *admissionv1.MutatingAdmissionPolicySpec) (*rules, error) {
	r, err := scopeOf(spec.Variables, spec.MatchConditions, spec.ParamKind != nil)
	if err != nil {
		return nil, fmt.Errorf("compile policy: %w", err)
	}
	declared := expression.Variables{Params: spec.ParamKind != nil, Authorizer: true, Patch: true}.Declared()
	for _, m := range spec.Mutations {
		switch {
		case m.PatchType == admissionv1.PatchTypeJSONPatch && m.JSONPatch != nil:
			e := admissionregistration.Patch(m.JSONPatch)
			r.mutations = append(r.mutations, mutation{patcher.NewJSONPatcher(r.scope.Compiler().CompileMutatingEvaluator(&e, declared, environment.StoredExpressions))})
		case m.PatchType == admissionv1.PatchTypeApplyConfiguration && m.ApplyConfiguration != nil:
			e := admissionregistration.Configuration(m.ApplyConfiguration)
			r.mutations = append(r.mutations, mutation{patcher.NewApplyConfigurationPatcher(r.scope.Compiler().CompileMutatingEvaluator(&e, declared, environment.StoredExpressions))})
		}
	}
	return r, nil
}

// rounds is what is known of the first round in the second.
type rounds struct {
	invoked map[string]bool // those that want to be evaluated again if the object changed after them
	again   map[string]bool
	written runtime.Object
}

func (r *rounds) requireAgain() {
	for key := range r.invoked {
		r.again[key] = true
	}
	clear(r.invoked)
}

// mutate evaluates the policies that the write concerns, each with what the one before made of the object.
func (p *Policies) mutate(ctx context.Context, w *review.Write, policies []*policy) error {
	r, _ := w.Noted(step).(*rounds)
	if r == nil {
		r = &rounds{invoked: map[string]bool{}, again: map[string]bool{}}
		w.Note(step, r)
	}
	all, wrong := p.invocations(w, policies)
	if len(all) > 0 {
		namespace, err := namespaceOf(w)
		if err != nil {
			return err
		}
		if w.Round > 0 && !equality.Semantic.DeepEqual(r.written, w.Current()) {
			r.requireAgain() // by other steps
		}
		for _, i := range all {
			if err := p.mutateBy(ctx, w, i, namespace, r); err != nil {
				var status *apierrors.StatusError
				if errors.As(err, &status) {
					return err
				}
				wrong = append(wrong, misfit{i.policy, i.binding, err})
			}
		}
	}
	if now := w.Current(); now != nil {
		r.written = now.DeepCopyObject()
	}
	return refuseWrong(w, wrong)
}

// mutateBy makes the changes of one policy.
func (p *Policies) mutateBy(ctx context.Context, w *review.Write, i invocation, namespace *corev1.Namespace, r *rounds) error {
	compiled, err := i.policy.rules()
	if err != nil {
		return err
	}
	if compiled.conditions != nil {
		meets, err := review.Meets(ctx, compiled.conditions, w, review.Evaluation{Form: i.form, Authorizer: p.cfg.Authorizer, Params: i.param, Ignore: i.policy.ignores})
		if err != nil || !meets {
			return err
		}
	}
	key := i.key()
	if w.Round > 0 && !r.again[key] || w.Current() == nil {
		return nil
	}
	before := w.Current().DeepCopyObject()
	var failed []error
	for _, m := range compiled.mutations {
		if err := p.change(compiled.scope.Compiler().CreateContext(ctx), w, i, m, namespace); err != nil {
			failed = append(failed, err)
		}
	}
	if !equality.Semantic.DeepEqual(before, w.Current()) {
		r.requireAgain()
		w.AskAgain()
	}
	if i.policy.mutating.Spec.ReinvocationPolicy == admissionv1.IfNeededReinvocationPolicy {
		r.invoked[key] = true
	}
	return errors.Join(failed...)
}

// change makes one change.
func (p *Policies) change(ctx context.Context, w *review.Write, i invocation, m mutation, namespace *corev1.Namespace) error {
	seen, err := w.Versioned(i.form)
	if err != nil {
		return err
	}
	converter, err := p.converterOf(seen.VersionedObject)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	next, err := m.patcher.Patch(ctx, patcher.Request{
		MatchedResource: i.form.Resource, VersionedAttributes: seen, ObjectInterfaces: p.library, Namespace: plugincel.CreateNamespaceObject(namespace), TypeConverter: converter,
		OptionalVariables: plugincel.OptionalVariableBindings{VersionedParams: i.param, Authorizer: review.Authorizer{Ask: p.cfg.Authorizer}},
	}, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return err
	}
	if _, custom := seen.VersionedObject.(*unstructured.Unstructured); custom {
		return w.Put(i.form, next)
	}
	typed := next
	if u, ok := next.(*unstructured.Unstructured); ok {
		typed = w.New(i.form)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, typed); err != nil {
			return err
		}
	}
	typed.GetObjectKind().SetGroupVersionKind(i.form.Kind)
	return w.Put(i.form, typed)
}

// converterOf reads the schema of an object's kind.
func (p *Policies) converterOf(obj runtime.Object) (managedfields.TypeConverter, error) {
	if _, custom := obj.(*unstructured.Unstructured); custom {
		return managedfields.NewDeducedTypeConverter(), nil
	}
	return p.converter()
}

// key names an invocation in all rounds.
func (i *invocation) key() string {
	key := i.policy.name + "/" + i.binding.name
	if i.param != nil {
		if accessor, err := apimeta.Accessor(i.param); err == nil {
			key += "/" + accessor.GetNamespace() + "/" + accessor.GetName()
		}
	}
	return key
}

// refuseWrong refuses a write because of policies that could not be evaluated, but for those that are ignored then.
func refuseWrong(w *review.Write, wrong []misfit) error {
	var refusal *apierrors.StatusError
	for _, m := range wrong {
		if m.policy.ignores {
			continue
		}
		text := fmt.Sprintf("policy %q denied request: %s", m.policy.name, m.err)
		if m.binding != nil {
			text = fmt.Sprintf("policy '%s' with binding '%s' denied request: %s", m.policy.name, m.binding.name, m.err)
		}
		if refusal == nil {
			refusal = admit.Forbidden(w.Attributes, errors.New("admission request denied by policy"))
			refusal.ErrStatus.Message, refusal.ErrStatus.Reason = text, metav1.StatusReasonInvalid
		}
		refusal.ErrStatus.Details.Causes = append(refusal.ErrStatus.Details.Causes, metav1.StatusCause{Message: text})
	}
	if refusal == nil {
		return nil
	}
	return refusal
}
