package rootca

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

// trustName is the ConfigMap of kube-system by which API servers of others learn whom to believe.
const trustName = "extension-apiserver-authentication"

// Trust is what an aggregated API server must know to check who calls it.
type Trust struct {
	ClientCA      []byte   // PEM: signs clients
	RequestCA     []byte   // PEM: signs those who may name users in headers
	AllowedNames  []string // of such certificates
	UserHeaders   []string
	UIDHeaders    []string
	GroupHeaders  []string
	ExtraPrefixes []string
}

// NewTrust makes the controller that publishes how callers are recognized, as upstream's API server does. Its only key is
// the ConfigMap.
func NewTrust(trust Trust) reconcile.Controller {
	return reconcile.Controller{
		Name:     "authenticationtrust",
		Identity: "system:serviceaccount:kube-system:root-ca-cert-publisher",
		Reads: []reconcile.Read{
			{Table: "namespaces", Keys: keyInSystem},
			{Table: table, Keys: keyOfTrust},
		},
		Writes: []string{"configmaps(" + trustName + ")"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, publishTrust(ctx, req, trust)
		},
	}
}

var trustKey = reconcile.Key{Namespace: metav1.NamespaceSystem, Name: trustName}

func keyInSystem(_ client.View, event client.Event) []reconcile.Key {
	if event.Object.GetName() != metav1.NamespaceSystem {
		return nil
	}
	return []reconcile.Key{trustKey}
}

func keyOfTrust(_ client.View, event client.Event) []reconcile.Key {
	if reconcile.KeyOf(event.Object) != trustKey {
		return nil
	}
	return []reconcile.Key{trustKey}
}

func publishTrust(ctx context.Context, req reconcile.Request, trust Trust) error {
	ref := client.Ref{Table: table, Namespace: trustKey.Namespace, Name: trustKey.Name}
	current, exists := client.Get[*corev1.ConfigMap](req.View, table, ref.Namespace, ref.Name)
	wanted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}}
	if exists {
		wanted = current.DeepCopy()
	} else if _, ok := client.Get[*corev1.Namespace](req.View, "namespaces", "", ref.Namespace); !ok {
		return nil
	}
	var err error
	if wanted.Data, err = trust.merge(wanted.Data, req.Now); err != nil {
		return fmt.Errorf("publish how callers are recognized: %w", err)
	}
	switch {
	case exists && maps.Equal(current.Data, wanted.Data):
		return nil
	case exists:
		_, err = req.Client.Update(ctx, ref, "", wanted, metav1.UpdateOptions{})
	default:
		_, err = req.Client.Create(ctx, ref, "", wanted, metav1.CreateOptions{})
	}
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return fmt.Errorf("publish how callers are recognized: %w", err)
}

// merge adds what this server trusts to what is published already, which other servers of the cluster may have put there.
// Certificates that have expired go.
func (t *Trust) merge(published map[string]string, now time.Time) (map[string]string, error) {
	merged := map[string]string{}
	for key, ours := range map[string][]byte{"client-ca-file": t.ClientCA, "requestheader-client-ca-file": t.RequestCA} {
		bundle, err := mergeCertificates(append([]byte(published[key]), ours...), now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		merged[key] = bundle
	}
	for key, ours := range map[string][]string{
		"requestheader-allowed-names":        t.AllowedNames,
		"requestheader-username-headers":     t.UserHeaders,
		"requestheader-uid-headers":          t.UIDHeaders,
		"requestheader-group-headers":        t.GroupHeaders,
		"requestheader-extra-headers-prefix": t.ExtraPrefixes,
	} {
		list, err := mergeNames(published[key], ours)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		merged[key] = list
	}
	return merged, nil
}

func mergeNames(published string, ours []string) (string, error) {
	names := []string{}
	if published != "" {
		if err := json.Unmarshal([]byte(published), &names); err != nil {
			return "", err
		}
	}
	all := []string{}
	for _, name := range append(names, ours...) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	out, err := json.Marshal(all)
	return string(out), err
}

// mergeCertificates drops those of a bundle that were there before or have expired.
func mergeCertificates(bundle []byte, now time.Time) (string, error) {
	var merged []byte
	seen := map[string]bool{}
	for {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			return string(merged), nil
		}
		if block.Type != "CERTIFICATE" || seen[string(block.Bytes)] {
			continue
		}
		seen[string(block.Bytes)] = true
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("parse certificate: %w", err)
		}
		if now.After(cert.NotAfter) {
			continue
		}
		merged = append(merged, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
}
