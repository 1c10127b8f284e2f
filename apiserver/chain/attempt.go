package chain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/auth"
)

// manyRights is from how many rights on it is asked first whether all are held.
const manyRights = 4

// attempt is one way in which a user may be allowed to act as another, for one request.
type attempt struct {
	ctx        context.Context
	authorizer auth.Authorizer
	way        string
	user, as   auth.User
}

func (a *attempt) constraint() string {
	if a.way == "" {
		return ""
	}
	return "impersonate:" + a.way
}

// check asks for the rights that it takes, in upstream's order.
func (a *attempt) check(request auth.Attributes) error {
	if a.way != "" {
		on := request
		on.User, on.Verb = a.requestor(), "impersonate-on:"+a.way+":"+request.Verb
		if err := Authorize(a.ctx, a.authorizer, on); err != nil {
			return err
		}
	}
	for _, part := range []func() error{a.name, a.uid, a.groups, a.extra} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// right is what is to be held to be somebody whose part of a kind has that name.
func (a *attempt) right(resource, name string) auth.Attributes {
	right := auth.Attributes{User: a.requestor(), Verb: "impersonate", APIVersion: "v1", IsResourceRequest: true, Resource: resource, Name: name}
	if a.way != "" {
		right.Verb, right.APIGroup = a.constraint(), "authentication.k8s.io"
	} else if resource == "uids" || resource == "userextras" {
		right.APIGroup = "authentication.k8s.io"
	}
	return right
}

func (a *attempt) may(right auth.Attributes) error { return Authorize(a.ctx, a.authorizer, right) }

func (a *attempt) name() error {
	right := a.right("users", a.as.Name)
	if namespace, name, ok := accountOf(a.as.Name); ok {
		right.Resource, right.Namespace, right.Name = "serviceaccounts", namespace, name
	}
	if node, ok := nodeOf(a.as.Name); ok && a.way != "" {
		right.Resource, right.Name = "nodes", node
		if a.way == "associated-node" {
			right.Name = "*"
		}
	}
	return a.may(right)
}

func (a *attempt) uid() error {
	if a.as.UID == "" {
		return nil
	}
	return a.may(a.right("uids", a.as.UID))
}

func (a *attempt) groups() error {
	if a.way != "" {
		if slices.Contains(a.as.Groups, "") {
			return auth.Forbidden(a.right("groups", ""), "impersonating the empty string group is not allowed")
		}
		if slices.Contains(a.as.Groups, auth.GroupMasters) {
			return auth.Forbidden(a.right("groups", auth.GroupMasters), "impersonating the system:masters group is not allowed")
		}
		if len(a.as.Groups) >= manyRights && a.may(a.right("groups", "*")) == nil {
			return nil
		}
	}
	for _, group := range a.as.Groups {
		if err := a.may(a.right("groups", group)); err != nil {
			return err
		}
	}
	return nil
}

func (a *attempt) extra() error {
	keys, values := slices.Sorted(maps.Keys(a.as.Extra)), 0
	for _, key := range keys {
		values += len(a.as.Extra[key])
	}
	if a.way != "" {
		if err := checkExtra(a.as.Extra, keys); err != nil {
			return auth.Forbidden(a.right("userextras", ""), err.Error())
		}
		all := a.right("userextras", "*")
		all.Subresource = "*"
		if max(len(keys), values) >= manyRights && a.may(all) == nil {
			return nil
		}
	}
	for _, key := range keys {
		for _, value := range a.as.Extra[key] {
			right := a.right("userextras", value)
			right.Subresource = key
			if err := a.may(right); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkExtra refuses what the way of old lets pass.
func checkExtra(extra map[string][]string, keys []string) error {
	for _, key := range keys {
		if key == "" {
			return fmt.Errorf("impersonating the empty string key in extra is not allowed")
		}
		if err := utilvalidation.IsDomainPrefixedPath(field.NewPath("extra", "key"), key).ToAggregate(); err != nil {
			return fmt.Errorf("impersonating an invalid key in extra is not allowed: %w", err)
		}
		if key != strings.ToLower(key) {
			return fmt.Errorf("impersonating a non-lowercase key in extra is not allowed: %q", key)
		}
		if len(extra[key]) == 0 {
			return fmt.Errorf("impersonating empty values in extra is not allowed")
		}
		if slices.Contains(extra[key], "") {
			return fmt.Errorf("impersonating the empty string value in extra is not allowed")
		}
	}
	return nil
}
