package core

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SecretTypeBootstrapToken is the type of Secrets in kube-system that hold a token with which new nodes ask for their first
// certificate: "abcdef.0123456789abcdef", an ID and a secret.
const SecretTypeBootstrapToken corev1.SecretType = "bootstrap.kubernetes.io/token"

const (
	bootstrapTokenName = "bootstrap-token-"
	bootstrappers      = "system:bootstrappers"
)

var (
	bootstrapTokenID = regexp.MustCompile(`\A[a-z0-9]{6}\z`)
	bootstrapGroup   = regexp.MustCompile(`\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`)
)

// BootstrapToken is what such a Secret says.
type BootstrapToken struct {
	ID, Secret     string
	Authentication bool      // it lets its holder in
	Signing        bool      // it vouches for the ConfigMap cluster-info
	Groups         []string  // of its holder, sorted; nil if any is not one that a token may give
	Expires        time.Time // zero: never
	Malformed      bool      // when it expires cannot be read: it is over
}

// BootstrapTokenRef is where the token with an ID is kept.
func BootstrapTokenRef(id string) (namespace, name string) {
	return metav1.NamespaceSystem, bootstrapTokenName + id
}

// ReadBootstrapToken reads a Secret; false if it is no bootstrap token, or not where its ID says.
func ReadBootstrapToken(secret *corev1.Secret) (BootstrapToken, bool) {
	t := BootstrapToken{ID: string(secret.Data["token-id"]), Secret: string(secret.Data["token-secret"]),
		Authentication: string(secret.Data["usage-bootstrap-authentication"]) == "true",
		Signing:        string(secret.Data["usage-bootstrap-signing"]) == "true",
		Groups:         groupsOf(string(secret.Data["auth-extra-groups"]))}
	if text := string(secret.Data["expiration"]); text != "" {
		var err error
		t.Expires, err = time.Parse(time.RFC3339, text)
		t.Malformed = err != nil
	}
	namespace, name := BootstrapTokenRef(t.ID)
	ok := secret.Type == SecretTypeBootstrapToken && secret.Namespace == namespace && secret.Name == name &&
		bootstrapTokenID.MatchString(t.ID) && t.Secret != ""
	return t, ok
}

// Expired says whether the token is over.
func (t *BootstrapToken) Expired(now time.Time) bool {
	return t.Malformed || !t.Expires.IsZero() && !now.Before(t.Expires)
}

func groupsOf(extra string) []string {
	groups := []string{bootstrappers}
	if extra == "" {
		return groups
	}
	for _, group := range strings.Split(extra, ",") {
		if !bootstrapGroup.MatchString(group) {
			return nil
		}
		groups = append(groups, group)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}
