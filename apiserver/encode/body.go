package encode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// BodyLimit is the largest request body that is read, as upstream's.
const BodyLimit = 3 << 20

// ReadBody reads a request's body up to BodyLimit.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > BodyLimit {
		return nil, tooLarge()
	}
	var buf bytes.Buffer
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, BodyLimit+1)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return nil, err
	}
	if buf.Len() > BodyLimit {
		return nil, tooLarge()
	}
	return buf.Bytes(), nil
}

func tooLarge() error {
	return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", BodyLimit))
}

// Validation is what fieldValidation asks for.
type Validation string

// strict: unknown and repeated fields are found. "" is Warn.
func (v Validation) strict() bool { return v != metav1.FieldValidationIgnore }

// Decode reads a body into into, whose type is gvk. Its warnings are the strict errors of a body that is to be
// accepted with warnings. Its errors are Bad Request Statuses.
func Decode(body []byte, f Format, gvk schema.GroupVersionKind, into runtime.Object, validation Validation) (warnings []string, err error) {
	strict, got, err := decodeAny(body, f, gvk, into, validation)
	if err != nil {
		return nil, err
	}
	if len(strict) > 0 && validation != metav1.FieldValidationWarn && validation != "" {
		return nil, decodeError(runtime.NewStrictDecodingError(strict), gvk, &gvk, body)
	}
	if err := otherVersion(got.GroupVersion(), gvk.GroupVersion()); err != nil {
		return nil, err
	}
	for _, e := range strict {
		warnings = append(warnings, e.Error())
	}
	into.GetObjectKind().SetGroupVersionKind(gvk)
	return warnings, nil
}

// decodeAny reads a body, and gives what is wrong with it strictly apart from what makes it unreadable.
func decodeAny(body []byte, f Format, gvk schema.GroupVersionKind, into runtime.Object, validation Validation) (strict []error, got schema.GroupVersionKind, err error) {
	types := oneType{gvk, into}
	var s runtime.Decoder
	if f == Protobuf {
		if tooDeep(body, into) {
			return nil, got, decodeError(errTooDeep, gvk, nil, body)
		}
		s = protobuf.NewSerializer(types, types)
	} else {
		s = kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, types, types,
			kjson.SerializerOptions{Yaml: f == YAML, Strict: validation.strict()})
	}
	_, actual, err := s.Decode(body, &gvk, into)
	if err != nil {
		found, ok := runtime.AsStrictDecodingError(err)
		if !ok {
			return nil, got, decodeError(err, gvk, actual, body)
		}
		strict = found.Errors()
	}
	return strict, *actual, nil
}

// otherVersion refuses a body of another version than the path's. What is wrong with the body itself is told of first.
func otherVersion(got, want schema.GroupVersion) error {
	if got == want {
		return nil
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%v)", got, want))
}

// decodeError says which kind was expected and what came instead.
func decodeError(err error, want schema.GroupVersionKind, got *schema.GroupVersionKind, body []byte) error {
	if apierrors.IsRequestEntityTooLargeError(err) { // whatever it is
		return err
	}
	if got != nil && got.Kind != "" {
		if errors.Is(err, errOtherVersion) {
			return apierrors.NewBadRequest(fmt.Sprintf(
				"the API version in the data (%s) does not match the expected API version (%v)", got.GroupVersion(), want.GroupVersion()))
		}
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", got.Kind, got.Version, want.Kind, err))
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%s)", want.Kind, err, summarize(body, 30)))
}

func summarize(data []byte, max int) string {
	switch {
	case len(data) == 0:
		return "<empty>"
	case data[0] == '{':
		if len(data) > max {
			return string(data[:max]) + " ..."
		}
		return string(data)
	case len(data) > max:
		return hex.EncodeToString(data[:max]) + " ..."
	}
	return hex.EncodeToString(data)
}

// oneType knows the one type that a body may have.
type oneType struct {
	gvk schema.GroupVersionKind
	obj runtime.Object
}

func (t oneType) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	if gvk == t.gvk {
		return t.obj, nil
	}
	return nil, OtherType(gvk, t.gvk)
}

// upstreamScheme is how upstream's scheme is called in its messages.
const upstreamScheme = "pkg/runtime/scheme.go:111"

// errOtherVersion: the kind is the one that is wanted, in a version that is known.
var errOtherVersion = errors.New("another version of the kind")

// Recognizes says whether a type is one of upstream's.
func Recognizes(gvk schema.GroupVersionKind) bool { return scheme.Scheme.Recognizes(gvk) }

// OtherType says what is wrong with a body of one type where another is wanted.
func OtherType(got, want schema.GroupVersionKind) error {
	if !Recognizes(got) {
		return runtime.NewNotRegisteredErrForKind(upstreamScheme, got)
	}
	if got.Kind != want.Kind {
		return fmt.Errorf("converting (%s.%s) to (%s.%s): unknown conversion", got.Version, got.Kind, packageOf(want.Group), want.Kind)
	}
	return errOtherVersion
}

// packageOf is how upstream's messages call a group.
func packageOf(group string) string {
	if group == "" {
		return "core"
	}
	name, _, _ := strings.Cut(group, ".")
	return name
}

func (t oneType) ObjectKinds(runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return []schema.GroupVersionKind{t.gvk}, false, nil
}

func (t oneType) Recognizes(gvk schema.GroupVersionKind) bool { return gvk == t.gvk }

// DecodeOptions reads the DeleteOptions of a body, under whichever group version old clients name them.
func DecodeOptions(body []byte, f Format, into *metav1.DeleteOptions) error {
	gvk := metav1.SchemeGroupVersion.WithKind("DeleteOptions")
	types := anyGroup{oneType{gvk, into}}
	var s runtime.Decoder
	if f == Protobuf {
		s = protobuf.NewSerializer(types, types)
	} else {
		s = kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, types, types, kjson.SerializerOptions{Yaml: f == YAML})
	}
	obj, _, err := s.Decode(body, &gvk, into)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if obj != runtime.Object(into) {
		return apierrors.NewBadRequest("decoded object cannot be converted to DeleteOptions")
	}
	return nil
}

// anyGroup takes a kind under any group version.
type anyGroup struct{ oneType }

func (t anyGroup) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	if gvk.Kind == t.gvk.Kind {
		return t.obj, nil
	}
	return t.oneType.New(gvk)
}
