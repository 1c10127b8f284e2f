package serviceaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds/core"
	"proa/kinds/podspec"
	"proa/reconcile"
)

const (
	configMaps = "configmaps"
	tracking   = "kube-apiserver-legacy-service-account-token-tracking"
	since      = "since"

	// unusedFor is how long a token of old times is not used until it is taken away, in two steps.
	unusedFor = 365 * 24 * time.Hour
	lookAgain = 24 * time.Hour
)

var trackingKey = reconcile.Key{Namespace: metav1.NamespaceSystem, Name: tracking}

// NewTracker makes the controller that notes from when on the use of such tokens is written down. Its only key is that ConfigMap.
func NewTracker() reconcile.Controller {
	only := func(namespace, name string) func(client.View, client.Event) []reconcile.Key {
		return func(_ client.View, event client.Event) []reconcile.Key {
			if event.Object.GetNamespace() != namespace || event.Object.GetName() != name {
				return nil
			}
			return []reconcile.Key{trackingKey}
		}
	}
	return reconcile.Controller{
		Name:     "legacytokentracking",
		Identity: "system:apiserver",
		Reads: []reconcile.Read{
			{Table: "namespaces", Keys: only("", trackingKey.Namespace)},
			{Table: configMaps, Keys: only(trackingKey.Namespace, trackingKey.Name)},
		},
		Writes: []string{"configmaps(" + tracking + ")"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, track(ctx, req)
		},
	}
}

func track(ctx context.Context, req reconcile.Request) error {
	today := req.Now.UTC().Format(time.DateOnly)
	current, ok := client.Get[*corev1.ConfigMap](req.View, configMaps, trackingKey.Namespace, trackingKey.Name)
	var err error
	if !ok {
		if _, ok := client.Get[*corev1.Namespace](req.View, "namespaces", "", trackingKey.Namespace); !ok {
			return nil
		}
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: trackingKey.Namespace, Name: trackingKey.Name}, Data: map[string]string{since: today}}
		_, err = req.Client.Create(ctx, client.RefOf(configMaps, made), "", made, metav1.CreateOptions{})
	} else if _, malformed := time.Parse(time.DateOnly, current.Data[since]); malformed != nil {
		next := current.DeepCopy()
		if next.Data == nil {
			next.Data = map[string]string{}
		}
		next.Data[since] = today
		_, err = req.Client.Update(ctx, client.RefOf(configMaps, next), "", next, metav1.UpdateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("note that tokens are tracked: %w", err)
	}
	return nil
}

// NewLegacyCleaner makes the controller that takes away the tokens that a cluster before v1.24 made for every account, when nobody
// has used them for a year: it calls them invalid, and deletes them a year later. Those that users made stay. Its keys are
// Secrets.
func NewLegacyCleaner() reconcile.Controller {
	return reconcile.Controller{
		Name:      "legacy-serviceaccount-token-cleaner",
		Identity:  "system:serviceaccount:kube-system:legacy-service-account-token-cleaner",
		Reads:     []reconcile.Read{{Table: secrets, Keys: keysOfToken}}, // and once a day what else it depends on
		Writes:    []string{"secrets/metadata.labels[" + core.InvalidSince + "]"},
		Deletes:   []string{"secrets(tokens of old times that are not used)"},
		Reconcile: cleanLegacy,
	}
}

func cleanLegacy(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	secret, ok := client.Get[*corev1.Secret](req.View, secrets, req.Namespace, req.Name)
	if !ok || secret.Type != corev1.SecretTypeServiceAccountToken {
		return reconcile.Result{}, nil
	}
	ref, err := client.RefOf(secrets, secret), error(nil)
	switch decide(secret, situationOf(req.View, secret), req.Now) {
	case invalidate:
		var patch []byte
		patch, err = json.Marshal(map[string]any{"metadata": map[string]any{"uid": secret.UID,
			"labels": map[string]string{core.InvalidSince: req.Now.UTC().Format(time.DateOnly)}}})
		if err == nil {
			_, err = req.Client.Patch(ctx, ref, "", types.MergePatchType, patch, metav1.PatchOptions{})
		}
	case remove:
		err = req.Client.Delete(ctx, ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &secret.ResourceVersion}})
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return reconcile.Result{}, fmt.Errorf("take an unused token away: %w", err)
	}
	return reconcile.Result{After: lookAgain}, nil
}

// situation is what the fate of a token depends on beside itself.
type situation struct {
	tracked string // since when use is written down, "" if it is not
	listed  bool   // the account lists the Secret, as the cluster that made it saw to
	mounted bool   // a pod refers to it
}

func situationOf(view client.View, secret *corev1.Secret) situation {
	var s situation
	if m, ok := client.Get[*corev1.ConfigMap](view, configMaps, trackingKey.Namespace, trackingKey.Name); ok {
		s.tracked = m.Data[since]
	}
	if account := accountOf(view, secret); account != nil {
		for _, ref := range account.Secrets {
			s.listed = s.listed || ref.Name == secret.Name
		}
	}
	if !s.listed {
		return s // nothing will come of it
	}
	for pod := range client.List[*corev1.Pod](view, "pods", secret.Namespace) {
		if podspec.Refers(pod, podspec.Secret, secret.Name) {
			s.mounted = true
			break
		}
	}
	return s
}

// fate is what becomes of a token.
type fate int

const (
	keep fate = iota
	invalidate
	remove
)

// decide says what becomes of a token. Days are compared, for nothing else is written down.
func decide(secret *corev1.Secret, s situation, now time.Time) fate {
	tracked, err := time.Parse(time.DateOnly, s.tracked)
	if err != nil || now.Before(tracked.AddDate(0, 0, 1).Add(unusedFor)) {
		return keep // nobody can know yet that it is not used
	}
	limit := now.UTC().Add(-unusedFor)
	if !secret.CreationTimestamp.Time.Before(limit) || secret.DeletionTimestamp != nil || !s.listed || s.mounted {
		return keep
	}
	if used, ok := secret.Labels[core.LastUsed]; ok {
		if _, err := time.Parse(time.DateOnly, used); err != nil || used >= limit.Format(time.DateOnly) {
			return keep
		}
	}
	invalid := secret.Labels[core.InvalidSince]
	if _, err := time.Parse(time.DateOnly, invalid); err != nil {
		return invalidate
	}
	if invalid >= limit.Format(time.DateOnly) {
		return keep
	}
	return remove
}
