package volume

import (
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

const (
	defaultExpiration = 3600 // seconds
	// longestUse renews tokens that live for weeks once a day, as upstream does.
	longestUse = 24 * time.Hour
)

// token is one that was granted, and when it is to be replaced.
type token struct {
	value string
	renew time.Time
}

// token adds a token that dies with the pod: the one that is there while it is good, else a new one.
func (c *collector) token(source *v1.ServiceAccountTokenProjection, mode int32) {
	key := c.volume + "/" + source.Path
	now := c.volumes.cfg.Clock.Now()
	current, ok := c.tokens[key]
	if !ok || !now.Before(current.renew) {
		granted, err := c.request(source)
		if err != nil {
			c.fail(fmt.Errorf("failed to fetch token: %w", err))
			return
		}
		current = token{value: granted.Status.Token, renew: renewal(now, granted.Status.ExpirationTimestamp.Time)}
		c.tokens[key] = current
	}
	user := fsUser(c.pod)
	if user != nil || c.pod.Spec.SecurityContext != nil && c.pod.Spec.SecurityContext.FSGroup != nil {
		mode = 0o600 // the group's right comes with fsGroup
	}
	c.payload[source.Path] = projection{data: []byte(current.value), mode: mode, user: user}
	if c.renew.IsZero() || current.renew.Before(c.renew) {
		c.renew = current.renew
	}
}

func (c *collector) request(source *v1.ServiceAccountTokenProjection) (*authenticationv1.TokenRequest, error) {
	expiration := int64(defaultExpiration)
	if source.ExpirationSeconds != nil {
		expiration = *source.ExpirationSeconds
	}
	var audiences []string
	if source.Audience != "" {
		audiences = []string{source.Audience}
	}
	account := c.pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: audiences, ExpirationSeconds: &expiration,
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: c.pod.Name, UID: c.pod.UID},
	}}
	ref := client.Ref{Table: "serviceaccounts", Namespace: c.pod.Namespace, Name: account}
	answer, err := c.volumes.cfg.Client.Create(c.ctx, ref, "token", request, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	granted, ok := answer.(*authenticationv1.TokenRequest)
	if !ok {
		return nil, fmt.Errorf("the API answered with a %T", answer)
	}
	return granted, nil
}

// renewal is when four fifths of a token's life are over, at the latest after a day.
func renewal(now, expires time.Time) time.Time {
	use := min(expires.Sub(now)*4/5, longestUse)
	return now.Add(max(use, time.Minute))
}
