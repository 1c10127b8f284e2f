package verbs

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/chain"
)

// findCustom is find for a kind that users defined. Upstream serves those without a router: every path below the resource
// leads to it, and the verb alone decides. So HEAD is a GET, and what the path names beyond the object and its doors is
// answered as an object that is absent. One thing is not as there: a POST to a name creates nothing, since whoever may only
// create objects of some names would create any by the name in the body.
func findCustom(c *call, info *chain.Info) (handler, error) {
	r := c.Version.Resource
	if r.Namespaced && info.Namespace == "" && info.Verb != "list" && info.Verb != "watch" {
		return nil, nil
	}
	known := handlers
	switch {
	case info.Subresource == "":
	case info.Subresource == "status" && r.Status != nil:
		known = views
	case info.Subresource == "scale" && r.Scale != nil:
		known = scaleVerbs
	default:
		return nil, notFound(&c.Request)
	}
	found := known[info.Verb]
	switch {
	case found == nil:
		return nil, apierrors.NewMethodNotSupported(c.groupResource(), info.Verb)
	case info.Verb == "create" && info.Name != "":
		return nil, errMethod
	case info.Name != "":
	case info.Verb == "update":
		return nil, errNoName
	case info.Verb == "patch":
		if _, err := c.patchType(); err != nil {
			return nil, err
		}
		return nil, errNoName
	}
	return found, nil
}

var errNoName = apierrors.NewBadRequest("name must be provided")
