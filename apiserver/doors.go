package apiserver

import (
	"net/http"

	"proa/apiserver/stream"
	"proa/apiserver/verbs"
)

// streamDoors are the subresources that are connections, not objects.
var streamDoors = []string{"pods/exec", "pods/attach", "pods/portforward", "pods/log", "pods/proxy", "services/proxy", "nodes/proxy"}

// Streamer serves connections to nodes, pods and services; package stream has the one.
type Streamer interface {
	// Serve answers, or returns false when the target is none that it knows.
	Serve(w http.ResponseWriter, r *http.Request, t stream.Target) bool
}

func doors(s Streamer) map[string]verbs.Door {
	if s == nil {
		return nil
	}
	all := map[string]verbs.Door{}
	for _, name := range streamDoors {
		all[name] = func(w http.ResponseWriter, r *http.Request, q verbs.Request) {
			t := stream.Target{User: q.User, Verb: q.Verb, Resource: q.Version.Resource.Name, Namespace: q.Namespace,
				Name: q.Name, Subresource: q.Subresource}
			if !s.Serve(w, r, t) {
				http.NotFound(w, r)
			}
		}
	}
	return all
}
