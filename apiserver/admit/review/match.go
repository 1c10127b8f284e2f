package review

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/admit"
)

// Match says which writes are meant. It does not change once it is made.
type Match struct {
	Rules, Except     []Rule
	namespace, object labels.Selector
	equivalent        bool
	any               bool // no rules mean every write
}

// Rule is one rule of a match.
type Rule struct {
	admissionregistrationv1.RuleWithOperations
	Names []string // empty: all
}

// Selection is what matches of webhooks and policies are made of.
type Selection struct {
	Rules, Except               []Rule
	NamespaceSelector, Selector *metav1.LabelSelector
	Policy                      *admissionregistrationv1.MatchPolicyType
	// AllWithoutRules: a selection without rules means every write.
	AllWithoutRules bool
}

// NewMatch makes a match, or says which selector is wrong.
func NewMatch(s Selection) (*Match, error) {
	m := &Match{Rules: s.Rules, Except: s.Except, any: s.AllWithoutRules && len(s.Rules) == 0,
		equivalent: s.Policy == nil || *s.Policy == admissionregistrationv1.Equivalent}
	var err error
	if m.namespace, err = selector(s.NamespaceSelector); err != nil {
		return nil, err
	}
	m.object, err = selector(s.Selector)
	return m, err
}

func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// Of says whether a write is meant, and in which form. An error is returned only for what the rules mean.
func (m *Match) Of(w *Write) (f Form, matches bool, err error) {
	inNamespace, failed := m.matchesNamespace(w)
	if !inNamespace && failed == nil || !m.matchesObject(w) {
		return Form{}, false, nil
	}
	if _, except := m.find(m.Except, w); except {
		return Form{}, false, nil
	}
	f, matches = w.Asked(), true
	if !m.any {
		f, matches = m.find(m.Rules, w)
	}
	if !matches {
		return Form{}, false, nil
	}
	return f, true, failed
}

// find looks for a rule that means the request, and then for the first that means an equivalent of it.
func (m *Match) find(rules []Rule, w *Write) (Form, bool) {
	asked := w.Asked()
	for i := range rules {
		if rules[i].means(w, asked) {
			return asked, true
		}
	}
	if !m.equivalent || len(rules) == 0 {
		return Form{}, false
	}
	others := w.Others()
	for i := range rules {
		for _, f := range others {
			if rules[i].means(w, f) {
				return f, true
			}
		}
	}
	return Form{}, false
}

func (r *Rule) means(w *Write, f Form) bool {
	if len(r.Names) > 0 && !slices.Contains(r.Names, w.Named()) {
		return false
	}
	return r.inScope(w) && meansOperation(r.Operations, w.Does()) && among(r.APIGroups, f.Resource.Group) &&
		among(r.APIVersions, f.Resource.Version) && meansResource(r.Resources, f.Resource.Resource, w.Subresource)
}

// Named is the write's name; of a new object, the one that it has by now, if any.
func (w *Write) Named() string {
	if w.Name == "" && w.Object != nil {
		return w.Object.GetName()
	}
	return w.Name
}

// inScope counts a namespace among what is in none.
func (r *Rule) inScope(w *Write) bool {
	if r.Scope == nil || *r.Scope == admissionregistrationv1.AllScopes {
		return true
	}
	namespaced := w.Namespace != "" && w.Attributes.Resource.Table() != namespaces
	switch *r.Scope {
	case admissionregistrationv1.NamespacedScope:
		return namespaced
	case admissionregistrationv1.ClusterScope:
		return !namespaced
	}
	return false
}

func among(names []string, name string) bool {
	return slices.Contains(names, "*") || slices.Contains(names, name)
}

func meansOperation(operations []admissionregistrationv1.OperationType, does admit.Operation) bool {
	return slices.ContainsFunc(operations, func(o admissionregistrationv1.OperationType) bool {
		return o == admissionregistrationv1.OperationAll || string(o) == string(does)
	})
}

func meansResource(resources []string, name, subresource string) bool {
	return slices.ContainsFunc(resources, func(r string) bool {
		resource, sub, _ := strings.Cut(r, "/")
		return (resource == "*" || resource == name) && (sub == "*" || sub == subresource)
	})
}

// matchesNamespace goes by the labels of the namespace that the write is in; of a namespace that is written, by its new ones.
// What is in no namespace is always meant.
func (m *Match) matchesNamespace(w *Write) (bool, error) {
	if m.namespace.Empty() || w.Where() == "" {
		return true, nil
	}
	if w.Attributes.Resource.Table() == namespaces && w.Subresource == "" && w.Object != nil {
		return m.namespace.Matches(labels.Set(w.Object.GetLabels())), nil
	}
	namespace, ok := w.NamespaceObject()
	if !ok {
		return false, apierrors.NewNotFound(corev1.Resource(namespaces), w.Where())
	}
	return m.namespace.Matches(labels.Set(namespace.Labels)), nil
}

// matchesObject goes by the labels of what is to be stored and of what is; one of both is enough.
func (m *Match) matchesObject(w *Write) bool {
	if m.object.Empty() {
		return true
	}
	if w.Body != nil {
		return m.hasLabels(w.Body.Object) || m.hasLabels(w.Body.Old)
	}
	return w.Object != nil && m.hasLabels(w.Object) || w.Old != nil && m.hasLabels(w.Old)
}

func (m *Match) hasLabels(obj runtime.Object) bool {
	if given(obj) == nil {
		return false
	}
	accessor, err := apimeta.Accessor(obj)
	return err == nil && m.object.Matches(labels.Set(accessor.GetLabels())) // the options of a connection have no labels
}
