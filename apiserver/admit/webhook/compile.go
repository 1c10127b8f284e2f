package webhook

import (
	"fmt"
	"sync"

	celgo "github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"

	"proa/apiserver/admit/review"
	"proa/apiserver/callout"
	"proa/kinds/admissionregistration"
	"proa/kinds/expression"
	"proa/kinds/resource"
	"proa/store"
)

// compiled is the configurations of one moment. It does not change.
type compiled struct {
	configurations []configuration
	hooks          []*hook
}

type configuration struct {
	item  *store.Item
	hooks []*hook
}

// hook is one webhook of a configuration.
type hook struct {
	admissionv1.MutatingWebhook
	id            string // unique among all hooks, the same over changes of the configuration
	configuration string
	match         *review.Match
	broken        error // what is wrong with a selector that an older version let in
	conditions    func() plugincel.ConditionEvaluator
}

// isOf says whether the compiled configurations are those of a snapshot.
func (c *compiled) isOf(table string, snap store.Snapshot) bool {
	if c == nil || snap.Len(table, "") != len(c.configurations) {
		return false
	}
	i := 0
	for item := range snap.List(table, "", store.Key{}) {
		if c.configurations[i].item.Key != item.Key || c.configurations[i].item.Revision != item.Revision {
			return false
		}
		i++
	}
	return true
}

// compile takes over from before what has not changed.
func compile(table string, snap store.Snapshot, before *compiled) *compiled {
	known := map[store.Key]configuration{}
	if before != nil {
		for _, c := range before.configurations {
			known[c.item.Key] = c
		}
	}
	now := &compiled{}
	for item := range snap.List(table, "", store.Key{}) {
		c, ok := known[item.Key]
		if !ok || c.item.Revision != item.Revision {
			c = configuration{item: item, hooks: hooksOf(item)}
		}
		now.configurations = append(now.configurations, c)
		now.hooks = append(now.hooks, c.hooks...)
	}
	return now
}

func hooksOf(item *store.Item) []*hook {
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return nil
	}
	var hooks []*hook
	seen := map[string]int{}
	for _, w := range admissionregistration.Webhooks(obj) {
		h := &hook{MutatingWebhook: w, configuration: obj.GetName(), id: fmt.Sprintf("%s/%s/%d", obj.GetName(), w.Name, seen[w.Name])}
		seen[w.Name]++
		s := review.Selection{NamespaceSelector: w.NamespaceSelector, Selector: w.ObjectSelector, Policy: w.MatchPolicy}
		for _, r := range w.Rules {
			s.Rules = append(s.Rules, review.Rule{RuleWithOperations: r})
		}
		h.match, h.broken = review.NewMatch(s)
		h.conditions = sync.OnceValue(func() plugincel.ConditionEvaluator { return conditions(w.MatchConditions) })
		hooks = append(hooks, h)
	}
	return hooks
}

func conditions(list []admissionv1.MatchCondition) plugincel.ConditionEvaluator {
	var expressions []*expression.Expression
	for _, c := range list {
		expressions = append(expressions, &expression.Expression{Name: c.Name, Text: c.Expression, Returns: []*celgo.Type{celgo.BoolType}})
	}
	return expression.Conditions(expressions, expression.Variables{Authorizer: true})
}

// target is where the webhook is.
func (h *hook) target() callout.Target {
	t := callout.Target{CABundle: h.ClientConfig.CABundle, Agent: "kube-apiserver-admission"}
	if s := h.ClientConfig.Service; s != nil {
		t.Service = &callout.Service{Namespace: s.Namespace, Name: s.Name}
		if s.Port != nil {
			t.Service.Port = *s.Port
		}
		if s.Path != nil {
			t.Service.Path = *s.Path
		}
	} else if h.ClientConfig.URL != nil {
		t.URL = *h.ClientConfig.URL
	}
	return t
}

// ignores says whether a failure to call the webhook lets the write pass.
func (h *hook) ignores() bool {
	return h.FailurePolicy != nil && *h.FailurePolicy == admissionv1.Ignore
}

// leavesNothing says whether the webhook may be called for a dry run.
func (h *hook) leavesNothing() bool {
	return h.SideEffects != nil && (*h.SideEffects == admissionv1.SideEffectClassNone || *h.SideEffects == admissionv1.SideEffectClassNoneOnDryRun)
}
