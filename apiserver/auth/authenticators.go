package auth

import (
	"crypto/sha256"
	"errors"
	"net/http"
)

// First asks authenticators in order; the first that knows the credential decides. When none does, a request without
// any credential is anonymous, and one with bad credentials is refused with what each found wrong.
func First(authenticators ...Authenticator) Authenticator { return FirstWith(nil, authenticators...) }

// FirstWith is First, where anonymous says which requests without a credential are let in; nil means all.
func FirstWith(anonymous func(*http.Request) bool, authenticators ...Authenticator) Authenticator {
	return &first{anonymous, authenticators}
}

type first struct {
	anonymous func(*http.Request) bool
	list      []Authenticator
}

func (f *first) Authenticate(r *http.Request) (User, bool, error) {
	var wrong []error
	for _, a := range f.list {
		u, ok, err := a.Authenticate(r)
		if ok {
			return authenticated(u), true, nil
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return User{}, false, errors.Join(wrong...)
	}
	if r.Header.Get("Authorization") != "" {
		return User{}, false, errors.New("invalid bearer token")
	}
	if f.anonymous != nil && !f.anonymous(r) {
		return User{}, false, errors.New("the request shows no credential")
	}
	return User{Name: Anonymous, Groups: []string{GroupAnonymous}}, true, nil
}

// authenticated adds the group that everybody is in who said who they are.
func authenticated(u User) User {
	if u.Name == Anonymous || u.InGroup(GroupAuthenticated) || u.InGroup(GroupAnonymous) {
		return u
	}
	u.Groups = append(u.Groups[:len(u.Groups):len(u.Groups)], GroupAuthenticated)
	return u
}

// StaticTokens knows a few bearer tokens by heart, such as the one with which nodes join. It keeps their hashes only.
type StaticTokens struct {
	users map[[sha256.Size]byte]User
}

// NewStaticTokens takes the users by their tokens.
func NewStaticTokens(users map[string]User) *StaticTokens {
	s := &StaticTokens{users: map[[sha256.Size]byte]User{}}
	for token, u := range users {
		if token != "" {
			s.users[sha256.Sum256([]byte(token))] = u
		}
	}
	return s
}

// Joiner is the user that the join token of nodes stands for: it may ask for a node's certificates and nothing else.
func Joiner() User {
	return User{Name: "system:bootstrap:proa", Groups: []string{GroupBootstrappers}}
}

// Authenticate accepts a bearer token that it knows. Looking up hashes gives nothing away by its timing.
func (s *StaticTokens) Authenticate(r *http.Request) (User, bool, error) {
	token, ok := bearer(r)
	if !ok {
		return User{}, false, nil
	}
	u, ok := s.users[sha256.Sum256([]byte(token))]
	return u, ok, nil
}
