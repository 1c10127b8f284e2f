package verbs

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
)

// serveLegacyBinding answers POST /api/v1/namespaces/NAMESPACE/bindings, an old door to pods/binding that names the pod
// in the body. It is a resource in name only, and so stands in no row of the kinds.
func (v *Verbs) serveLegacyBinding(w http.ResponseWriter, r *http.Request, info *chain.Info) bool {
	pods := v.Kinds.ByTable("pods")
	if info.Group != "" || info.Version != "v1" || info.Resource != "bindings" || info.Namespace == "" || len(info.Parts) != 1 || pods == nil {
		return false
	}
	user, _ := auth.UserFrom(r.Context())
	c := &call{raw: r, Request: Request{User: user, Verb: info.Verb, Version: encode.Stored(pods), Namespace: info.Namespace,
		Subresource: "binding", Manager: managerOf(r.UserAgent()), Warn: chain.Warner(w), Annotate: audit.From(r.Context()).Notes()}}
	var err error
	if c.accept, err = encode.Negotiate(r, encode.Partials|encode.Binary); err == nil {
		err = v.bindByBody(w, c)
	}
	if err != nil {
		c.respond(v).Error(w, translate(err, &c.Request))
	}
	return true
}

func (v *Verbs) bindByBody(w http.ResponseWriter, c *call) error {
	if c.Verb != "create" {
		return errMethod
	}
	opts, err := c.createOptions()
	if err != nil {
		return err
	}
	binding := &corev1.Binding{}
	if err := c.body(bindingKind, binding, opts.FieldValidation); err != nil {
		return err
	}
	c.Name = binding.Name
	if err := v.Bind(c.raw.Context(), c.Request, binding, opts); err != nil {
		return err
	}
	return c.respondStatus(v, w, http.StatusCreated, nil)
}
