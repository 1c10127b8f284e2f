package chain

import (
	"strings"
	"sync/atomic"

	"proa/internal/measure"
)

// decisions count what was decided on users before their requests were served.
type decisions struct {
	known, unknown                atomic.Int64 // credentials
	allowed, noOpinion, undecided atomic.Int64 // by authorization; undecided is an error
	others, mails                 atomic.Int64 // users that were known
}

// authenticated counts a user that was found, anonymous ones too. The names themselves are nobody's business, and too many.
func (d *decisions) authenticated(name string) {
	d.known.Add(1)
	if strings.Contains(name, "@") {
		d.mails.Add(1)
	} else {
		d.others.Add(1)
	}
}

func (d *decisions) authorized(allowed bool, err error) {
	switch {
	case allowed:
		d.allowed.Add(1)
	case err != nil:
		d.undecided.Add(1)
	default:
		d.noOpinion.Add(1)
	}
}

func (d *decisions) measures() []measure.Family {
	attempts := measure.Family{Name: "authentication_attempts", Help: "Requests whose user was looked for", Type: measure.Counter, Labels: []string{"result"}}
	attempts.Add(float64(d.known.Load()), "success")
	attempts.Add(float64(d.unknown.Load()), "error")
	users := measure.Family{Name: "authenticated_user_requests", Help: "Requests by kind of user name", Type: measure.Counter, Labels: []string{"username"}}
	users.Add(float64(d.others.Load()), "other")
	users.Add(float64(d.mails.Load()), "email_id")
	authorized := measure.Family{Name: "authorization_attempts_total", Help: "Requests that were authorized, or not", Type: measure.Counter, Labels: []string{"result"}}
	authorized.Add(float64(d.allowed.Load()), "allowed")
	authorized.Add(float64(d.noOpinion.Load()), "no-opinion")
	authorized.Add(float64(d.undecided.Load()), "error")
	return []measure.Family{attempts, users, authorized}
}
