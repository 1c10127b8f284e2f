package verbs

import (
	"net/http"
	"slices"

	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// doors are the subresources with a body of their own, by table and name; every other one is a view of the object
// itself (status and what the row of the kind lists) or another's (Config.Doors).
var doors = map[string]map[string]handler{
	"pods/binding":  {"create": (*Verbs).serveBinding},
	"pods/eviction": {"create": (*Verbs).serveEviction},

	"serviceaccounts/token": {"create": (*Verbs).serveTokenRequest},
}

// views are the verbs of subresources that show the object itself.
var views = map[string]handler{"get": (*Verbs).serveGet, "update": (*Verbs).serveUpdate, "patch": (*Verbs).servePatch}

var statusVerbs = []string{"get", "patch", "update"}

var scaleVerbs = map[string]handler{"get": (*Verbs).serveGetScale, "update": (*Verbs).serveUpdateScale, "patch": (*Verbs).servePatchScale}

func (v *Verbs) findDoor(c *call, info *chain.Info) (handler, error) {
	r := c.Version.Resource
	name := r.Table() + "/" + info.Subresource
	if door := v.Doors[name]; door != nil {
		return func(v *Verbs, w http.ResponseWriter, c *call) error {
			if err := v.admitConnection(c, info); err != nil {
				return err
			}
			door(w, c.raw, c.Request)
			return nil
		}, nil
	}
	if len(info.Parts) > 3 {
		return nil, nil
	}
	if own := doors[name]; own != nil {
		return oneOf(own, c, info)
	}
	if info.Subresource == "scale" && r.Scale != nil {
		return oneOf(scaleVerbs, c, info)
	}
	verbs := viewVerbs(r, info.Subresource)
	if verbs == nil {
		return nil, nil
	}
	if !slices.Contains(verbs, info.Verb) {
		return nil, errMethod
	}
	return oneOf(views, c, info)
}

// offer says in which forms an object, or what a subresource makes of it, is answered.
func offer(r *resource.Resource, door string) encode.Offer {
	forms := encode.OfferOf(r)
	if s := view(r, door); s != nil && s.NoTables || doors[r.Table()+"/"+door] != nil { // no columns are known of another kind
		forms &^= encode.Tables
	}
	return forms
}

// view is the subresource of a name that shows the object itself, or nil.
func view(r *resource.Resource, name string) *resource.Subresource {
	if name == "" {
		return nil
	}
	if name == "status" {
		return r.Status
	}
	for i := range r.Subresources {
		if r.Subresources[i].Name == name && r.Subresources[i].Body.Empty() {
			return &r.Subresources[i]
		}
	}
	return nil
}

func viewVerbs(r *resource.Resource, name string) []string {
	s := view(r, name)
	switch {
	case s == nil:
		return nil
	case s.Verbs == nil && name == "status":
		return statusVerbs
	}
	return s.Verbs
}

func oneOf(handlers map[string]handler, c *call, info *chain.Info) (handler, error) {
	if h := handlers[info.Verb]; h != nil {
		return h, nil
	}
	return nil, errMethod
}
