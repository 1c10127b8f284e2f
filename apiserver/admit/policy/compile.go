package policy

import (
	"fmt"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"proa/apiserver/admit/review"
	"proa/kinds/admissionregistration"
	"proa/kinds/expression"
	"proa/kinds/resource"
	"proa/store"
)

// compiled is policies and bindings of one moment. It does not change.
type compiled struct {
	items    []*store.Item // of both tables
	policies []*policy     // those that are bound
}

// policy is a policy of either kind.
type policy struct {
	item       *store.Item
	name       string
	validating *admissionv1.ValidatingAdmissionPolicy // one of the two
	mutating   *admissionv1.MutatingAdmissionPolicy
	params     *admissionv1.ParamKind
	ignores    bool // what cannot be evaluated refuses nothing
	match      *review.Match
	broken     error // what is wrong with a selector
	bindings   []*binding
	rules      func() (*rules, error)
}

// binding says where a policy counts.
type binding struct {
	name    string
	params  *admissionv1.ParamRef
	actions []admissionv1.ValidationAction
	match   *review.Match
	broken  error
}

// rules are the compiled expressions of a policy.
type rules struct {
	scope       *expression.Scope
	conditions  plugincel.ConditionEvaluator // nil: none
	validations plugincel.ConditionEvaluator
	messages    plugincel.ConditionEvaluator
	annotations plugincel.ConditionEvaluator
	mutations   []mutation
}

// isOf says whether the compiled policies are those of a snapshot.
func (c *compiled) isOf(snap store.Snapshot, tables ...string) bool {
	if c == nil {
		return false
	}
	i := 0
	for _, table := range tables {
		for item := range snap.List(table, "", store.Key{}) {
			if i == len(c.items) || c.items[i].Key != item.Key || c.items[i].Revision != item.Revision {
				return false
			}
			i++
		}
	}
	return i == len(c.items)
}

// compile takes over the expressions of policies that have not changed.
func compile(snap store.Snapshot, b *bound, before *compiled) *compiled {
	known := map[store.Key]*policy{}
	if before != nil {
		for _, p := range before.policies {
			known[p.item.Key] = p
		}
	}
	now := &compiled{}
	policies := map[string]*policy{}
	var order []*policy
	for item := range snap.List(b.policies, "", store.Key{}) {
		now.items = append(now.items, item)
		obj, ok := item.Value().(resource.Object)
		if !ok {
			continue
		}
		p := newPolicy(item, obj)
		if old := known[item.Key]; old != nil && old.item.Revision == item.Revision {
			p.rules = old.rules
		}
		policies[p.name] = p
		order = append(order, p)
	}
	for item := range snap.List(b.bindings, "", store.Key{}) {
		now.items = append(now.items, item)
		if name, bound := newBinding(item.Value()); policies[name] != nil {
			policies[name].bindings = append(policies[name].bindings, bound)
		}
	}
	for _, p := range order {
		if len(p.bindings) > 0 {
			now.policies = append(now.policies, p)
		}
	}
	return now
}

func newPolicy(item *store.Item, obj resource.Object) *policy {
	p := &policy{item: item, name: obj.GetName()}
	var failure *admissionv1.FailurePolicyType
	var match *admissionv1.MatchResources
	switch o := obj.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		p.validating, p.params, failure, match = o, o.Spec.ParamKind, o.Spec.FailurePolicy, o.Spec.MatchConstraints
		p.rules = sync.OnceValues(func() (*rules, error) { return validatingRules(&o.Spec) })
	case *admissionv1.MutatingAdmissionPolicy:
		p.mutating, p.params, failure, match = o, o.Spec.ParamKind, o.Spec.FailurePolicy, o.Spec.MatchConstraints
		p.rules = sync.OnceValues(func() (*rules, error) { return mutatingRules(&o.Spec) })
	}
	p.ignores = failure != nil && *failure == admissionv1.Ignore
	p.match, p.broken = newMatch(match)
	return p
}

func newBinding(obj any) (policy string, b *binding) {
	var match *admissionv1.MatchResources
	switch o := obj.(type) {
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		b = &binding{name: o.Name, params: o.Spec.ParamRef, actions: o.Spec.ValidationActions}
		policy, match = o.Spec.PolicyName, o.Spec.MatchResources
	case *admissionv1.MutatingAdmissionPolicyBinding:
		b = &binding{name: o.Name, params: o.Spec.ParamRef}
		policy, match = o.Spec.PolicyName, o.Spec.MatchResources
	default:
		return "", nil
	}
	b.match, b.broken = newMatch(match)
	return policy, b
}

func newMatch(m *admissionv1.MatchResources) (*review.Match, error) {
	s := review.Selection{AllWithoutRules: true}
	if m != nil {
		s.NamespaceSelector, s.Selector, s.Policy = m.NamespaceSelector, m.ObjectSelector, m.MatchPolicy
		s.Rules, s.Except = named(m.ResourceRules), named(m.ExcludeResourceRules)
	}
	return review.NewMatch(s)
}

func named(list []admissionv1.NamedRuleWithOperations) []review.Rule {
	rules := make([]review.Rule, len(list))
	for i, r := range list {
		rules[i] = review.Rule{RuleWithOperations: r.RuleWithOperations, Names: r.ResourceNames}
	}
	return rules
}

// scopeOf compiles what both kinds of policies have: variables and match conditions.
func scopeOf(variables []admissionv1.Variable, conditions []admissionv1.MatchCondition, params bool) (*rules, error) {
	scope, err := expression.NewScope()
	if err != nil {
		return nil, err
	}
	all := expression.Variables{Params: params, Authorizer: true}
	for _, v := range variables {
		scope.Define(admissionregistration.Variable(v), all, true) // what cannot be compiled fails where it is referred to
	}
	r := &rules{scope: scope}
	if len(conditions) > 0 {
		var list []plugincel.ExpressionAccessor
		for _, c := range conditions {
			e := admissionregistration.Condition(c)
			list = append(list, &e)
		}
		r.conditions = scope.Compiler().CompileCondition(list, all.Declared(), environment.StoredExpressions)
	}
	return r, nil
}

func validatingRules(spec *admissionv1.ValidatingAdmissionPolicySpec) (*rules, error) {
	params := spec.ParamKind != nil
	r, err := scopeOf(spec.Variables, spec.MatchConditions, params)
	if err != nil {
		return nil, fmt.Errorf("compile policy: %w", err)
	}
	validations, messages := make([]plugincel.ExpressionAccessor, len(spec.Validations)), make([]plugincel.ExpressionAccessor, len(spec.Validations))
	for i, v := range spec.Validations {
		e := admissionregistration.Validation(v)
		validations[i] = &e
		if v.MessageExpression != "" {
			m := admissionregistration.Message(v)
			messages[i] = &m
		}
	}
	annotations := make([]plugincel.ExpressionAccessor, len(spec.AuditAnnotations))
	for i, a := range spec.AuditAnnotations {
		e := admissionregistration.AuditAnnotation(a)
		annotations[i] = &e
	}
	all, few := expression.Variables{Params: params, Authorizer: true}, expression.Variables{Params: params}
	compiler := r.scope.Compiler()
	r.validations = compiler.CompileCondition(validations, all.Declared(), environment.StoredExpressions)
	r.messages = compiler.CompileCondition(messages, few.Declared(), environment.StoredExpressions)
	r.annotations = compiler.CompileCondition(annotations, all.Declared(), environment.StoredExpressions)
	return r, nil
}
