package verbs

import (
	"net/http"
	"slices"

	"proa/apiserver/chain"
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

func viewVerbs(r *resource.Resource, name string) []string {
	if name == "status" && r.Status != nil {
		if r.Status.Verbs != nil {
			return r.Status.Verbs
		}
		return statusVerbs
	}
	for _, s := range r.Subresources {
		if s.Name == name && s.Body.Empty() {
			return s.Verbs
		}
	}
	return nil
}

func oneOf(handlers map[string]handler, c *call, info *chain.Info) (handler, error) {
	if h := handlers[info.Verb]; h != nil {
		return h, nil
	}
	return nil, errMethod
}
