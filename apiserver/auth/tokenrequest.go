package auth

import (
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/store"
)

// Bounds of a token's life, in seconds.
const (
	TokenDefaultSeconds = 60 * 60 // of a TokenRequest that names no time
	tokenMinSeconds     = 10 * 60
	tokenMaxSeconds     = 1 << 32
)

// Request answers a TokenRequest for the service account namespace/name. The caller has checked that the user may
// create serviceaccounts/token, and has had it admitted. request is not changed.
//
// Upstream gives a pod's token a year whatever its pod asked for, for clients that do not read it again (its flag
// --service-account-extend-token-expiration). Here a token ends when it says.
func (t *Tokens) Request(namespace, name string, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	snap := t.cfg.Source.Snapshot()
	account, ok := lookup[*corev1.ServiceAccount](snap, serviceAccountTable, namespace, name)
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: serviceAccountTable}, name)
	}
	out, err := t.fillRequest(account, request)
	if err != nil {
		return nil, err
	}
	now := t.cfg.Now()
	out.CreationTimestamp = metav1.NewTime(now)
	c := claims{
		Claims: jwt.Claims{
			Issuer: t.cfg.Issuer, Subject: AccountUserPrefix + namespace + ":" + name, Audience: jwt.Audience(out.Spec.Audiences),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ID: t.cfg.NewID(),
			Expiry: jwt.NewNumericDate(now.Add(time.Duration(*out.Spec.ExpirationSeconds) * time.Second)),
		},
		Kubernetes: &boundClaims{Namespace: namespace, Account: claimRef{name, string(account.UID)}},
	}
	if err := bind(snap, c.Kubernetes, name, out.Spec.BoundObjectRef); err != nil {
		return nil, err
	}
	out.Status.Token, err = t.sign(c)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("failed to generate token: %w", err))
	}
	out.Status.ExpirationTimestamp = metav1.NewTime(c.Expiry.Time())
	return out, nil
}

// fillRequest checks what was asked for and completes it.
func (t *Tokens) fillRequest(account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	kind := authenticationv1.SchemeGroupVersion.WithKind("TokenRequest").GroupKind()
	meta := field.NewPath("metadata")
	if request.Name != "" && request.Name != account.Name {
		return nil, apierrors.NewInvalid(kind, account.Name, field.ErrorList{field.Invalid(meta.Child("name"), request.Name,
			"must match the service account name if specified")})
	}
	if request.Namespace != "" && request.Namespace != account.Namespace {
		return nil, apierrors.NewInvalid(kind, account.Name, field.ErrorList{field.Invalid(meta.Child("namespace"), request.Namespace,
			"must match the service account namespace if specified")})
	}
	if request.UID != "" && request.UID != account.UID {
		return nil, apierrors.NewConflict(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, account.Name,
			fmt.Errorf("the UID in the token request (%s) does not match the UID of the service account (%s)", request.UID, account.UID))
	}
	out := request.DeepCopy()
	out.Name, out.Namespace, out.UID = account.Name, account.Namespace, account.UID
	out.Status = authenticationv1.TokenRequestStatus{}
	if len(out.Spec.Audiences) == 0 {
		out.Spec.Audiences = t.cfg.Audiences
	}
	if out.Spec.ExpirationSeconds == nil {
		seconds := int64(TokenDefaultSeconds)
		out.Spec.ExpirationSeconds = &seconds
	}
	path, seconds := field.NewPath("spec", "expirationSeconds"), *out.Spec.ExpirationSeconds
	switch {
	case seconds < tokenMinSeconds:
		return nil, apierrors.NewInvalid(kind, "", field.ErrorList{field.Invalid(path, seconds, "may not specify a duration less than 10 minutes")})
	case seconds > tokenMaxSeconds:
		return nil, apierrors.NewInvalid(kind, "", field.ErrorList{field.Invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")})
	}
	return out, nil
}

// bind ties a token to the life of an object.
func bind(snap store.Snapshot, c *boundClaims, account string, ref *authenticationv1.BoundObjectReference) error {
	if ref == nil {
		return nil
	}
	var uid types.UID
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	switch {
	case gvk.Group == "" && gvk.Kind == "Pod":
		pod, ok := lookup[*corev1.Pod](snap, "pods", c.Namespace, ref.Name)
		if !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, ref.Name)
		}
		if pod.Spec.ServiceAccountName != account {
			return apierrors.NewBadRequest(fmt.Sprintf(
				"cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", account))
		}
		uid, c.Pod = pod.UID, &claimRef{pod.Name, string(pod.UID)}
		if pod.Spec.NodeName != "" {
			c.Node = &claimRef{Name: pod.Spec.NodeName}
			if node, ok := lookup[*corev1.Node](snap, "nodes", "", pod.Spec.NodeName); ok {
				c.Node.UID = string(node.UID)
			}
		}
	case gvk.Group == "" && gvk.Kind == "Node":
		node, ok := lookup[*corev1.Node](snap, "nodes", "", ref.Name)
		if !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, ref.Name)
		}
		uid, c.Node = node.UID, &claimRef{node.Name, string(node.UID)}
	case gvk.Group == "" && gvk.Kind == "Secret":
		secret, ok := lookup[*corev1.Secret](snap, "secrets", c.Namespace, ref.Name)
		if !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, ref.Name)
		}
		uid, c.Secret = secret.UID, &claimRef{secret.Name, string(secret.UID)}
	default:
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s", gvk))
	}
	if ref.UID != "" && ref.UID != uid {
		return apierrors.NewConflict(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, ref.Name, fmt.Errorf(
			"the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID))
	}
	return nil
}

// LegacyToken returns the token for a secret of type kubernetes.io/service-account-token: it does not expire, and is good
// as long as the secret holds it.
func (t *Tokens) LegacyToken(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
	return t.sign(claims{
		Claims:          jwt.Claims{Issuer: legacySecretIssuer, Subject: AccountUserPrefix + account.Namespace + ":" + account.Name},
		LegacyNamespace: account.Namespace, LegacySecret: secret.Name,
		LegacyAccount: account.Name, LegacyAccountUID: string(account.UID),
	})
}
