package verbs

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/audit"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// call is a Request that came over HTTP.
type call struct {
	Request
	raw    *http.Request
	accept encode.Accept
	values url.Values
}

// query is the parameters of the URL, parsed once.
func (c *call) query() url.Values {
	if c.values == nil && c.raw.URL.RawQuery != "" {
		c.values = c.raw.URL.Query()
	}
	return c.values
}

func (c *call) respond(v *Verbs) encode.Responder {
	p := encode.Responder{Accept: c.accept, Request: c.raw, Now: v.Clock.Now}
	if c.accept.Shape == encode.Table {
		p.Include = c.query().Get("includeObject")
	}
	return p
}

// object reads the body as an object of the request's version.
func (c *call) object(fieldValidation string) (resource.Object, error) {
	format, err := encode.ContentType(c.raw)
	if err != nil {
		return nil, err
	}
	body, err := encode.ReadBody(c.raw)
	if err != nil {
		return nil, err
	}
	obj, warnings, err := c.Version.Decode(body, format, encode.Validation(fieldValidation))
	for _, w := range warnings {
		c.warn(w)
	}
	if err == nil {
		audit.From(c.raw.Context()).About(obj)
	}
	return obj, err
}

// matchNamespace puts the request's namespace on the object, or says that they differ.
func (c *call) matchNamespace(obj resource.Object) error { return matchNamespace(&c.Request, obj) }

func matchNamespace(q *Request, obj resource.Object) error {
	if !q.Version.Resource.Namespaced {
		if obj.GetNamespace() != "" {
			obj.SetNamespace("")
		}
		return nil
	}
	switch obj.GetNamespace() {
	case q.Namespace:
	case "":
		obj.SetNamespace(q.Namespace)
	default:
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

func matchName(q *Request, obj resource.Object) error {
	if obj.GetName() != q.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", q.Name))
	}
	return nil
}

// checkName says that the object in the body is another one than the URL names.
func checkName(q *Request, obj resource.Object) error {
	switch obj.GetName() {
	case q.Name:
		return nil
	case "":
		return matchName(q, obj)
	}
	return apierrors.NewBadRequest(fmt.Sprintf(
		"the name of the object (%s) does not match the name on the URL (%s)", obj.GetName(), q.Name))
}

// managerOf names the program behind a user agent: what stands before the first slash.
func managerOf(agent string) string {
	name, _, _ := strings.Cut(agent, "/")
	var b strings.Builder
	for _, r := range name {
		if !unicode.IsPrint(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > validation.FieldManagerMaxLength {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// body reads the body as an object of a subresource.
func (c *call) body(kind schema.GroupVersionKind, into runtime.Object, fieldValidation string) error {
	format, err := encode.ContentType(c.raw)
	if err != nil {
		return err
	}
	data, err := encode.ReadBody(c.raw)
	if err != nil {
		return err
	}
	warnings, err := encode.Decode(data, format, kind, into, encode.Validation(fieldValidation))
	for _, w := range warnings {
		c.warn(w)
	}
	if sent, ok := into.(metav1.Object); ok && err == nil {
		audit.From(c.raw.Context()).About(sent)
	}
	return err
}

func (c *call) createOptions() (metav1.CreateOptions, error) {
	var opts metav1.CreateOptions
	query := c.query()
	if len(query) == 0 {
		return opts, nil
	}
	if err := metav1.Convert_url_Values_To_v1_CreateOptions(&query, &opts, nil); err != nil {
		return opts, apierrors.NewBadRequest(err.Error())
	}
	if errs := validation.ValidateCreateOptions(&opts); len(errs) > 0 {
		return opts, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "CreateOptions"}, "", errs)
	}
	return opts, nil
}
