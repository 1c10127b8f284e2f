package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	api "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authorizationcel "k8s.io/apiserver/pkg/authorization/cel"

	"proa/apiserver/auth"
)

// mostKept bounds the answers that are kept; when it is reached, all are forgotten.
const mostKept = 8192

// access is an authorization webhook.
type access struct {
	name    string
	config  api.WebhookConfiguration
	client  *client
	matches *authorizationcel.CELMatcher // nil: every request
	now     func() time.Time

	mu struct {
		sync.Mutex
		kept map[[sha256.Size]byte]answer
	}
}

type answer struct {
	decision auth.Decision
	reason   string
	until    time.Time
}

func newAccess(name string, config *api.WebhookConfiguration, now func() time.Time) (*access, error) {
	w := &access{name: name, config: *config, now: now}
	w.mu.kept = map[[sha256.Size]byte]answer{}
	var err error
	if config.ConnectionInfo.KubeConfigFile == nil {
		return nil, fmt.Errorf("authorizer %s: connectionInfo needs a kubeConfigFile", name)
	}
	if w.client, err = open(*config.ConnectionInfo.KubeConfigFile); err != nil {
		return nil, fmt.Errorf("authorizer %s: %w", name, err)
	}
	if len(config.MatchConditions) > 0 {
		matches, errs := validation.ValidateAndCompileMatchConditions(authorizationcel.NewDefaultCompiler(), config.MatchConditions)
		if len(errs) > 0 {
			return nil, fmt.Errorf("authorizer %s: %w", name, errs.ToAggregate())
		}
		w.matches = matches
	}
	return w, nil
}

// decide is an auth.Step.
func (w *access) decide(ctx context.Context, a *auth.Attributes) (auth.Decision, string, error) {
	review := reviewOf(a)
	if w.matches != nil {
		matches, err := w.matches.Eval(ctx, review)
		if err != nil {
			return w.failed(), "", err
		}
		if !matches {
			return auth.NoOpinion, "", nil
		}
	}
	key, err := json.Marshal(&review.Spec)
	if err != nil {
		return w.failed(), "", fmt.Errorf("encode review: %w", err)
	}
	sum := sha256.Sum256(key)
	if kept, ok := w.recall(sum); ok {
		return kept.decision, kept.reason, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.Timeout.Duration)
	defer cancel()
	var said authorizationv1.SubjectAccessReview
	if err := w.client.post(ctx, w.form(review), &said); err != nil {
		return w.failed(), "", fmt.Errorf("authorizer %s: %w", w.name, err)
	}
	decided := answer{reason: said.Status.Reason}
	switch {
	case said.Status.Allowed && said.Status.Denied:
		return auth.Deny, said.Status.Reason, fmt.Errorf("authorizer %s: webhook subject access review returned both allow and deny response", w.name)
	case said.Status.Allowed:
		decided.decision = auth.Allow
	case said.Status.Denied:
		decided.decision = auth.Deny
	}
	w.keep(sum, decided)
	return decided.decision, decided.reason, nil
}

// failed is what no answer means.
func (w *access) failed() auth.Decision {
	if w.config.FailurePolicy == api.FailurePolicyDeny {
		return auth.Deny
	}
	return auth.NoOpinion
}

func (w *access) recall(sum [sha256.Size]byte) (answer, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept, ok := w.mu.kept[sum]
	return kept, ok && w.now().Before(kept.until)
}

func (w *access) keep(sum [sha256.Size]byte, a answer) {
	life, wanted := w.config.UnauthorizedTTL.Duration, w.config.CacheUnauthorizedRequests
	if a.decision == auth.Allow {
		life, wanted = w.config.AuthorizedTTL.Duration, w.config.CacheAuthorizedRequests
	}
	if !wanted || life <= 0 {
		return
	}
	a.until = w.now().Add(life)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.kept) >= mostKept {
		clear(w.mu.kept)
	}
	w.mu.kept[sum] = a
}

// reviewOf asks what a request wants.
func reviewOf(a *auth.Attributes) *authorizationv1.SubjectAccessReview {
	info := a.User.Info()
	spec := authorizationv1.SubjectAccessReviewSpec{User: info.Username, UID: info.UID, Groups: info.Groups}
	for key, values := range a.User.Extra {
		if spec.Extra == nil {
			spec.Extra = map[string]authorizationv1.ExtraValue{}
		}
		spec.Extra[key] = values
	}
	if a.IsResourceRequest {
		spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Namespace: a.Namespace, Verb: a.Verb, Group: a.APIGroup,
			Version: a.APIVersion, Resource: a.Resource, Subresource: a.Subresource, Name: a.Name,
			FieldSelector: fieldSelector(a.FieldSelector), LabelSelector: labelSelector(a.LabelSelector)}
	} else {
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: a.Path, Verb: a.Verb}
	}
	return &authorizationv1.SubjectAccessReview{Spec: spec}
}

func fieldSelector(s fields.Selector) *authorizationv1.FieldSelectorAttributes {
	if s == nil || s.Empty() {
		return nil
	}
	out := &authorizationv1.FieldSelectorAttributes{}
	for _, r := range s.Requirements() {
		operator := metav1.FieldSelectorOpIn
		if r.Operator == selection.NotEquals {
			operator = metav1.FieldSelectorOpNotIn
		}
		out.Requirements = append(out.Requirements, metav1.FieldSelectorRequirement{Key: r.Field, Operator: operator, Values: []string{r.Value}})
	}
	return out
}

var labelOperators = map[selection.Operator]metav1.LabelSelectorOperator{
	selection.Equals: metav1.LabelSelectorOpIn, selection.DoubleEquals: metav1.LabelSelectorOpIn, selection.In: metav1.LabelSelectorOpIn,
	selection.NotEquals: metav1.LabelSelectorOpNotIn, selection.NotIn: metav1.LabelSelectorOpNotIn,
	selection.Exists: metav1.LabelSelectorOpExists, selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
}

// labelSelector leaves out what cannot be said, such as gt: that only widens the question.
func labelSelector(s labels.Selector) *authorizationv1.LabelSelectorAttributes {
	if s == nil || s.Empty() {
		return nil
	}
	out := &authorizationv1.LabelSelectorAttributes{}
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if operator, ok := labelOperators[r.Operator()]; ok {
			out.Requirements = append(out.Requirements, metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: r.ValuesUnsorted()})
		}
	}
	if len(out.Requirements) == 0 {
		return nil
	}
	return out
}

// form gives a review the version that the webhook speaks. In v1beta1 the groups are called group.
func (w *access) form(review *authorizationv1.SubjectAccessReview) any {
	asked := *review
	asked.APIVersion, asked.Kind = authorizationv1.GroupName+"/"+w.config.SubjectAccessReviewVersion, "SubjectAccessReview"
	if w.config.SubjectAccessReviewVersion != "v1beta1" {
		return &asked
	}
	type oldSpec struct {
		authorizationv1.SubjectAccessReviewSpec
		Groups []string `json:"group,omitempty"`
	}
	groups := asked.Spec.Groups
	asked.Spec.Groups = nil
	return &struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              oldSpec `json:"spec"`
	}{asked.TypeMeta, asked.ObjectMeta, oldSpec{asked.Spec, groups}}
}
