package bootstraptoken

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/core"
	"proa/reconcile"
)

const (
	configMaps      = "configmaps"
	clusterInfo     = "cluster-info"
	kubeconfig      = "kubeconfig"
	signaturePrefix = "jws-kubeconfig-"
)

var signed = reconcile.Key{Namespace: metav1.NamespacePublic, Name: clusterInfo}

// NewSigner makes the controller that signs cluster-info. Its only key is that ConfigMap.
func NewSigner() reconcile.Controller {
	return reconcile.Controller{
		Name:     "bootstrapsigner",
		Identity: "system:serviceaccount:kube-system:bootstrap-signer",
		Reads:    []reconcile.Read{{Table: configMaps, Keys: keyOfInfo}, {Table: secrets, Keys: keyOfAnyToken}},
		Writes:   []string{"configmaps(" + clusterInfo + ")"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, signInfo(ctx, req)
		},
	}
}

func keyOfInfo(_ client.View, event client.Event) []reconcile.Key {
	if reconcile.KeyOf(event.Object) != signed {
		return nil
	}
	return []reconcile.Key{signed}
}

func keyOfAnyToken(view client.View, event client.Event) []reconcile.Key {
	if len(keysOfTokens(view, event)) == 0 {
		return nil
	}
	return []reconcile.Key{signed}
}

func signInfo(ctx context.Context, req reconcile.Request) error {
	info, ok := client.Get[*corev1.ConfigMap](req.View, configMaps, signed.Namespace, signed.Name)
	if !ok || info.DeletionTimestamp != nil {
		return nil
	}
	content, ok := info.Data[kubeconfig]
	if !ok {
		return nil
	}
	wanted := info.DeepCopy()
	maps.DeleteFunc(wanted.Data, func(key, _ string) bool { return strings.HasPrefix(key, signaturePrefix) })
	for _, t := range signers(req.View, req.Now) {
		signature, err := sign(content, t.ID, t.Secret)
		if err != nil {
			return fmt.Errorf("sign %s: %w", clusterInfo, err)
		}
		wanted.Data[signaturePrefix+t.ID] = signature
	}
	if maps.Equal(wanted.Data, info.Data) {
		return nil
	}
	_, err := req.Client.Update(ctx, client.RefOf(configMaps, info), "", wanted, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("sign %s: %w", clusterInfo, err)
	}
	return nil
}

// signers are the tokens that vouch for the ConfigMap now. One that is over is deleted, which brings the key up again.
func signers(view client.View, now time.Time) []core.BootstrapToken {
	var all []core.BootstrapToken
	for obj := range view.List(secrets, metav1.NamespaceSystem) {
		secret, ok := obj.(*corev1.Secret)
		if !ok || secret.Type != core.SecretTypeBootstrapToken {
			continue
		}
		if t, ok := core.ReadBootstrapToken(secret); ok && t.Signing && !t.Expired(now) {
			all = append(all, t)
		}
	}
	return all
}

// sign is a JWS with detached content (RFC 7515, appendix F), made with HMAC-SHA256 and the token's secret.
func sign(content, id, secret string) (string, error) {
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}{"HS256", id})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(encode(header) + "." + encode([]byte(content))))
	return encode(header) + ".." + encode(mac.Sum(nil)), nil
}
