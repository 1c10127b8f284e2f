package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	api "k8s.io/apiserver/pkg/apis/apiserver"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"

	"proa/apiserver/auth"
)

// claims are a token's, once it has been verified.
type claims map[string]json.RawMessage

func (c claims) read(name string, into any) error {
	value, ok := c[name]
	if !ok {
		return errors.New("claim not present")
	}
	return json.Unmarshal(value, into)
}

// value is the claims as expressions see them.
func (c claims) value() (traits.Mapper, error) {
	all := map[string]any{}
	for name, raw := range c {
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("oidc: parse claim %s: %w", name, err)
		}
		all[name] = value
	}
	return mapper(all), nil
}

func mapper(of map[string]any) traits.Mapper {
	return types.DefaultTypeAdapter.NativeToValue(of).(traits.Mapper) // of a map it is always one
}

// user maps claims to a user and holds both to the rules.
func (i *issuer) user(ctx context.Context, c claims) (u auth.User, err error) {
	var seen traits.Mapper
	m := &i.mapper
	if m.Username != nil || m.Groups != nil || m.UID != nil || m.Extra != nil || m.ClaimValidationRules != nil {
		if seen, err = c.value(); err != nil {
			return u, err
		}
	}
	if u.Name, err = i.username(ctx, c, seen); err != nil {
		return auth.User{}, err
	}
	if u.Groups, err = i.groups(ctx, c, seen); err != nil {
		return auth.User{}, err
	}
	if u.UID, err = i.uid(ctx, c, seen); err != nil {
		return auth.User{}, err
	}
	if u.Extra, err = i.extra(ctx, c, seen); err != nil {
		return auth.User{}, err
	}
	if err := i.checkClaims(ctx, c, seen); err != nil {
		return auth.User{}, err
	}
	if err := i.checkUser(ctx, u); err != nil {
		return auth.User{}, err
	}
	return u, nil
}

func (i *issuer) username(ctx context.Context, c claims, seen traits.Mapper) (string, error) {
	if i.mapper.Username != nil {
		name, err := evalString(ctx, i.mapper.Username, seen)
		if err != nil {
			return "", fmt.Errorf("oidc: error evaluating username claim expression: %w", err)
		}
		if name == "" {
			return "", errors.New("oidc: empty username via CEL expression is not allowed")
		}
		return name, nil
	}
	claim := i.config.ClaimMappings.Username.Claim
	var name string
	if err := c.read(claim, &name); err != nil {
		return "", fmt.Errorf("oidc: parse username claims %q: %w", claim, err)
	}
	if _, said := c["email_verified"]; said && claim == "email" {
		var verified bool
		if err := c.read("email_verified", &verified); err != nil {
			return "", fmt.Errorf("oidc: parse 'email_verified' claim: %w", err)
		}
		if !verified {
			return "", errors.New("oidc: email not verified")
		}
	}
	return prefixed(i.config.ClaimMappings.Username, name), nil
}

func prefixed(m api.PrefixedClaimOrExpression, value string) string {
	if m.Prefix == nil {
		return value
	}
	return *m.Prefix + value
}

func (i *issuer) groups(ctx context.Context, c claims, seen traits.Mapper) ([]string, error) {
	if i.mapper.Groups != nil {
		result, err := i.mapper.Groups.EvalClaimMapping(ctx, seen)
		if err != nil {
			return nil, fmt.Errorf("oidc: error evaluating group claim expression: %w", err)
		}
		groups, err := stringList(result.EvalResult)
		if err != nil {
			return nil, fmt.Errorf("oidc: error evaluating group claim expression: %w", err)
		}
		return groups, nil
	}
	claim := i.config.ClaimMappings.Groups.Claim
	if _, said := c[claim]; claim == "" || !said {
		return nil, nil
	}
	var groups []string
	if err := c.read(claim, &groups); err != nil {
		var one string // some issuers name a single one
		if c.read(claim, &one) != nil {
			return nil, fmt.Errorf("oidc: parse groups claim %q: %w", claim, err)
		}
		groups = []string{one}
	}
	for at := range groups {
		groups[at] = prefixed(i.config.ClaimMappings.Groups, groups[at])
	}
	return groups, nil
}

func (i *issuer) uid(ctx context.Context, c claims, seen traits.Mapper) (string, error) {
	if i.mapper.UID != nil {
		uid, err := evalString(ctx, i.mapper.UID, seen)
		if err != nil {
			return "", fmt.Errorf("oidc: error evaluating uid claim expression: %w", err)
		}
		return uid, nil
	}
	claim := i.config.ClaimMappings.UID.Claim
	if claim == "" {
		return "", nil
	}
	var uid string
	if err := c.read(claim, &uid); err != nil {
		return "", fmt.Errorf("oidc: parse uid claim %q: %w", claim, err)
	}
	return uid, nil
}

func (i *issuer) extra(ctx context.Context, c claims, seen traits.Mapper) (map[string][]string, error) {
	var extra map[string][]string
	add := func(key string, values []string) {
		if extra == nil {
			extra = map[string][]string{}
		}
		extra[key] = values
	}
	var id string
	if c.read("jti", &id) == nil && id != "" {
		add(auth.CredentialID, []string{"JTI=" + id})
	}
	if i.mapper.Extra == nil {
		return extra, nil
	}
	results, err := i.mapper.Extra.EvalClaimMappings(ctx, seen)
	if err != nil {
		return nil, fmt.Errorf("oidc: error evaluating extra claim expression: %w", err)
	}
	for _, result := range results {
		mapping, ok := result.ExpressionAccessor.(*authenticationcel.ExtraMappingExpression)
		if !ok {
			return nil, fmt.Errorf("oidc: error evaluating extra claim expression: it is a %T", result.ExpressionAccessor)
		}
		values, err := stringList(result.EvalResult)
		if err != nil {
			return nil, fmt.Errorf("oidc: error evaluating extra claim expression: %s: %w", mapping.Expression, err)
		}
		if len(values) > 0 {
			add(mapping.Key, values)
		}
	}
	return extra, nil
}

func (i *issuer) checkClaims(ctx context.Context, c claims, seen traits.Mapper) error {
	for _, r := range i.config.ClaimValidationRules {
		if r.Claim == "" {
			continue
		}
		if _, said := c[r.Claim]; !said {
			return fmt.Errorf("oidc: required claim %s not present in ID token", r.Claim)
		}
		var value string
		if err := c.read(r.Claim, &value); err != nil {
			return fmt.Errorf("oidc: parse claim %s: %w", r.Claim, err)
		}
		if value != r.RequiredValue {
			return fmt.Errorf("oidc: required claim %s value does not match. Got = %s, want = %s", r.Claim, value, r.RequiredValue)
		}
	}
	if i.mapper.ClaimValidationRules == nil {
		return nil
	}
	results, err := i.mapper.ClaimValidationRules.EvalClaimMappings(ctx, seen)
	if err == nil {
		err = allTrue(results)
	}
	if err != nil {
		return fmt.Errorf("oidc: error evaluating claim validation expression: %w", err)
	}
	return nil
}

func (i *issuer) checkUser(ctx context.Context, u auth.User) error {
	if i.mapper.UserValidationRules == nil {
		return nil
	}
	groups, extra := u.Groups, map[string]any{}
	if groups == nil {
		groups = []string{}
	}
	for key, values := range u.Extra {
		extra[key] = values
	}
	results, err := i.mapper.UserValidationRules.EvalUser(ctx, mapper(map[string]any{
		"username": u.Name, "uid": u.UID, "groups": groups, "extra": extra}))
	if err == nil {
		err = allTrue(results)
	}
	if err != nil {
		return fmt.Errorf("oidc: error evaluating user info validation rule: %w", err)
	}
	return nil
}

// allTrue says which rule does not hold, in its own words if it has any.
func allTrue(results []authenticationcel.EvaluationResult) error {
	for _, r := range results {
		if r.EvalResult == types.True {
			continue
		}
		message := ""
		switch rule := r.ExpressionAccessor.(type) {
		case *authenticationcel.ClaimValidationCondition:
			message = rule.Message
		case *authenticationcel.UserValidationCondition:
			message = rule.Message
		}
		return fmt.Errorf("validation expression '%s' failed: %s", r.ExpressionAccessor.GetExpression(), message)
	}
	return nil
}

func evalString(ctx context.Context, m authenticationcel.ClaimsMapper, seen traits.Mapper) (string, error) {
	result, err := m.EvalClaimMapping(ctx, seen)
	if err != nil {
		return "", err
	}
	text, ok := result.EvalResult.Value().(string)
	if !ok {
		return "", errors.New("the claim expression must return a string")
	}
	return text, nil
}

// stringList reads a string, which counts if it is not empty, a list of strings, or null.
func stringList(value ref.Val) ([]string, error) {
	switch v := value.(type) {
	case types.Null:
		return nil, nil
	case types.String:
		if v == "" {
			return nil, nil
		}
		return []string{string(v)}, nil
	case traits.Lister:
		var all []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			text, ok := it.Next().(types.String)
			if !ok {
				return nil, errors.New("expression must return a string or a list of strings")
			}
			if text != "" {
				all = append(all, string(text))
			}
		}
		return all, nil
	}
	return nil, errors.New("expression must return a string or a list of strings")
}
