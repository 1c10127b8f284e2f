package auth_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"proa/apiserver/auth"
)

func TestBootstrapTokens(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := `
apiVersion: v1
kind: Secret
metadata: {namespace: kube-system, name: bootstrap-token-abcdef}
type: bootstrap.kubernetes.io/token
stringData: {}
data:
  token-id: YWJjZGVm
  token-secret: MDEyMzQ1Njc4OWFiY2RlZg==
  usage-bootstrap-authentication: dHJ1ZQ==
`
	for what, c := range map[string]struct{ secret, token, want string }{
		"good":                {good, "abcdef.0123456789abcdef", "system:bootstrap:abcdef [system:bootstrappers system:authenticated]"},
		"wrong secret":        {good, "abcdef.0123456789abcdee", "refused"},
		"another ID":          {good, "abcdeg.0123456789abcdef", "refused"},
		"malformed":           {good, "abcdef.0123456789ABCDEF", "refused"},
		"with a newline":      {good, "abcdef.0123456789abcde\n", "refused"},
		"groups":              {good + "  auth-extra-groups: c3lzdGVtOmJvb3RzdHJhcHBlcnM6eixzeXN0ZW06Ym9vdHN0cmFwcGVyczph\n", "abcdef.0123456789abcdef", "system:bootstrap:abcdef [system:bootstrappers system:bootstrappers:a system:bootstrappers:z system:authenticated]"},
		"masters":             {good + "  auth-extra-groups: c3lzdGVtOm1hc3RlcnM=\n", "abcdef.0123456789abcdef", "refused"},
		"not yet over":        {good + "  expiration: MjAyNi0wMS0wMVQwMDowMDowMVo=\n", "abcdef.0123456789abcdef", "system:bootstrap:abcdef [system:bootstrappers system:authenticated]"},
		"over":                {good + "  expiration: MjAyNi0wMS0wMVQwMDowMDowMFo=\n", "abcdef.0123456789abcdef", "refused"},
		"expires at nonsense": {good + "  expiration: bm9uc2Vuc2U=\n", "abcdef.0123456789abcdef", "refused"},
		"for signing only":    {strings.Replace(good, "usage-bootstrap-authentication", "usage-bootstrap-signing", 1), "abcdef.0123456789abcdef", "refused"},
		"another type":        {strings.Replace(good, "bootstrap.kubernetes.io/token", "Opaque", 1), "abcdef.0123456789abcdef", "refused"},
		"another namespace":   {strings.Replace(good, "kube-system", "default", 1), "abcdef.0123456789abcdef", "refused"},
		"named otherwise":     {strings.Replace(good, "YWJjZGVm", "YWJjZGVn", 1), "abcdef.0123456789abcdef", "refused"},
		"being deleted":       {strings.Replace(good, "abcdef}", `abcdef, deletionTimestamp: "2026-01-01T00:00:00Z"}`, 1), "abcdef.0123456789abcdef", "refused"},
	} {
		s := newState(t)
		s.put(s.parse(c.secret))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		u, ok, err := auth.First(auth.NewBootstrapTokens(s, func() time.Time { return now })).Authenticate(r)
		got := u.Name + " " + groupsOf(u)
		if !ok {
			got = "refused"
			if err == nil {
				t.Errorf("%s: refused without a reason", what)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}
