package encode

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/munnerz/goautoneg"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/kinds/resource"
)

// Format is a syntax of bodies.
type Format uint8

// The formats of the API, in the order in which they are offered.
const (
	JSON Format = iota
	YAML
	Protobuf
)

var mediaTypes = [...]string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"}

// MediaType is the format's name in headers.
func (f Format) MediaType() string { return mediaTypes[f] }

// Shape is what an object is turned into before it is written.
type Shape uint8

// The shapes that a client can ask for.
const (
	Whole   Shape = iota // the object itself
	Partial              // PartialObjectMetadata
	Table                // meta.k8s.io Table
)

// Accept is what a response looks like.
type Accept struct {
	Format  Format
	Shape   Shape
	OfList  bool   // Partial was asked for by the name of its list
	Version string // of Partial and Table: "v1" or "v1beta1"
	Pretty  bool
	Watch   bool // the client asked for a stream form by name
}

// Offer is what can be made of an object beside its JSON and YAML.
type Offer uint8

// What may be offered; or them together.
const (
	Partials   Offer = 1 << iota // PartialObjectMetadata
	Tables                       // Table
	Binary                       // protobuf of the whole object
	Unfiltered                   // whatever the header says: no router looks at it first

	Shapes = Partials | Tables
)

// OfferOf says which forms a resource has.
func OfferOf(r *resource.Resource) Offer {
	switch {
	case r.Virtual:
		return Partials | Binary
	case r.Custom != nil:
		return Shapes | Unfiltered
	}
	return Shapes | Binary
}

// Negotiate finds the best form that the request's Accept header allows, of those that are offered. Its error is a 406
// Status.
func Negotiate(r *http.Request, offer Offer) (Accept, error) {
	header := r.Header.Get("Accept")
	if header == "" {
		return Accept{Pretty: pretty(r)}, nil
	}
	if offer&Binary != 0 && header == "application/vnd.kubernetes.protobuf" { // the form of every component, without parsing
		return Accept{Format: Protobuf}, nil
	}
	clauses := goautoneg.ParseAccept(header)
	if offer&Unfiltered == 0 && !slices.ContainsFunc(clauses, routes) {
		return Accept{}, notRepresentable(false)
	}
	return best(r, clauses, offer)
}

// negotiateError is Negotiate for a Status, where "application/*" says enough.
func negotiateError(r *http.Request) (Accept, error) {
	header := r.Header.Get("Accept")
	if header == "" {
		return Accept{Pretty: pretty(r)}, nil
	}
	return best(r, goautoneg.ParseAccept(header), Binary)
}

func best(r *http.Request, clauses []goautoneg.Accept, offer Offer) (Accept, error) {
	for _, clause := range clauses {
		for f, name := range mediaTypes {
			slash := strings.IndexByte(name, '/')
			main := clause.Type == name[:slash]
			if !(main && clause.SubType == name[slash+1:] || main && clause.SubType == "*" || clause.Type == "*" && clause.SubType == "*") {
				continue
			}
			if a, ok := accept(Format(f), clause.Params, offer); ok {
				a.Pretty = a.Pretty || a.Format == JSON && pretty(r)
				return a, nil
			}
		}
	}
	return Accept{}, notAcceptable(mediaTypes[:])
}

// routes says whether a clause of an Accept header alone leads to an answer: "application/*" does not, as upstream has it.
func routes(clause goautoneg.Accept) bool {
	return clause.Type == "*" && clause.SubType == "*" || slices.Contains(mediaTypes[:], clause.Type+"/"+clause.SubType)
}

func accept(f Format, params map[string]string, offer Offer) (Accept, bool) {
	a := Accept{Format: f, Pretty: params["pretty"] == "1"}
	if s, ok := params["stream"]; ok && s != "" {
		if s != "watch" || f == YAML {
			return a, false
		}
		a.Watch = true
	}
	as, group, version := params["as"], params["g"], params["v"]
	if as == "" && group == "" && version == "" {
		return a, f != Protobuf || offer&Binary != 0
	}
	if group != metav1.GroupName || version != "v1" && version != "v1beta1" {
		return a, false
	}
	a.Version = version
	switch as {
	case "Table":
		a.Shape = Table
		return a, offer&Tables != 0 && f != Protobuf
	case "PartialObjectMetadata", "PartialObjectMetadataList":
		a.Shape, a.OfList = Partial, as == "PartialObjectMetadataList"
		return a, offer&Partials != 0
	}
	return a, false
}

// pretty says whether a person reads the answer.
func pretty(r *http.Request) bool {
	if strings.Contains(r.URL.RawQuery, "pretty") {
		if v := r.URL.Query().Get("pretty"); v != "" {
			yes, _ := strconv.ParseBool(v)
			return yes
		}
	}
	agent := r.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "Wget") || strings.HasPrefix(agent, "Mozilla/5.0")
}

// ContentType finds the format of the request's body. Its error is a 415 Status.
func ContentType(r *http.Request) (Format, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return JSON, nil
	}
	if name, _, err := mime.ParseMediaType(header); err == nil {
		for f, known := range mediaTypes {
			if name == known {
				return Format(f), nil
			}
		}
	}
	return 0, unsupportedMediaType(mediaTypes[:])
}

// OfferStreams is the error of Negotiate where streams are offered too: what can be listed can be watched.
func OfferStreams(err error) error {
	if status := new(apierrors.StatusError); errors.As(err, &status) && status.ErrStatus.Message == notRepresentable(false).Error() {
		return notRepresentable(true)
	}
	return err
}

// notRepresentable is the answer to an Accept header that names nothing that is known.
func notRepresentable(streams bool) error {
	offered := strings.Join(mediaTypes[:], ", ")
	if streams {
		offered += ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
	}
	return unavailable(offered)
}

// Unrouted says of an error of Negotiate that the Accept header names nothing that is known: upstream has no handler then.
func Unrouted(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && strings.HasPrefix(status.Status().Message, unavailableWords)
}

const unavailableWords = "406: Not Acceptable"

func unavailable(offered string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotAcceptable,
		Reason: metav1.StatusReasonNotAcceptable, Details: &metav1.StatusDetails{},
		Message: unavailableWords + "\n\nAvailable representations: " + offered}}
}

func notAcceptable(accepted []string) error {
	return statusError(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
		fmt.Sprintf("only the following media types are accepted: %v", strings.Join(accepted, ", ")))
}

// NegotiateJSON is nil where the Accept header allows plain JSON, which is all that some documents have.
func NegotiateJSON(r *http.Request) error {
	header := r.Header.Get("Accept")
	if header == "" || slices.ContainsFunc(goautoneg.ParseAccept(header), func(c goautoneg.Accept) bool {
		return routes(c) && (c.Type == "*" || c.SubType == "json")
	}) {
		return nil
	}
	return unavailable(mediaTypes[JSON])
}

// UnsupportedPatch refuses a patch that is of none of the types.
func UnsupportedPatch(types []types.PatchType) error {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return unsupportedMediaType(names)
}

func unsupportedMediaType(accepted []string) error {
	return statusError(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType,
		fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: %v", strings.Join(accepted, ", ")))
}
