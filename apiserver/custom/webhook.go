package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Call posts a body of JSON to a webhook and returns the body of its answer. It is called from many goroutines, and an answer
// that is none, or too large, is its error.
type Call func(ctx context.Context, hook *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error)

// conversionTimeout is upstream's.
const conversionTimeout = 30 * time.Second

// webhook converts objects by asking somebody.
type webhook struct {
	call Call
	spec *apiextensionsv1.WebhookConversion
	kind string
}

// review is a ConversionReview of any of the versions that there are: they differ in their name alone.
type review struct {
	metav1.TypeMeta `json:",inline"`
	Request         *apiextensionsv1.ConversionRequest  `json:"request,omitempty"`
	Response        *apiextensionsv1.ConversionResponse `json:"response,omitempty"`
}

// convert has all objects converted by one call. An answer that changes what no conversion may is refused.
func (w *webhook) convert(objects []*unstructured.Unstructured, to schema.GroupVersion) ([]*unstructured.Unstructured, error) {
	from := objects[0].GroupVersionKind()
	failed := func(format string, args ...any) error {
		return fmt.Errorf("conversion webhook for %v %w", from, fmt.Errorf(format, args...))
	}
	answers, err := w.ask(objects, to)
	if err != nil {
		return nil, failed("failed: %w", err)
	}
	if len(answers) != len(objects) {
		return nil, failed("returned %d objects, expected %d", len(answers), len(objects))
	}
	out := make([]*unstructured.Unstructured, len(objects))
	for i := range answers {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(answers[i].Raw); err != nil {
			return nil, failed("returned invalid converted object at index %d: %w", i, err)
		}
		if got := u.GroupVersionKind().GroupVersion(); got != to {
			return nil, failed("returned invalid converted object at index %d: invalid groupVersion (expected %v, received %v)", i, to, got)
		}
		if err := sameObject(objects[i], u); err != nil {
			return nil, failed("returned invalid converted object at index %d: %w", i, err)
		}
		if err := restoreMetadata(objects[i], u); err != nil {
			return nil, failed("returned invalid metadata in object at index %d: %w", i, err)
		}
		out[i] = u
	}
	return out, nil
}

// ask sends a review and gives the objects of the answer, unchecked.
func (w *webhook) ask(objects []*unstructured.Unstructured, to schema.GroupVersion) ([]runtime.RawExtension, error) {
	gv, err := w.reviewVersion()
	if err != nil {
		return nil, err
	}
	if w.call == nil || w.spec.ClientConfig == nil {
		return nil, errors.New("no webhook can be called")
	}
	in := review{TypeMeta: metav1.TypeMeta{Kind: "ConversionReview", APIVersion: gv.String()},
		Request: &apiextensionsv1.ConversionRequest{UID: uuid.NewUUID(), DesiredAPIVersion: to.String()}}
	for _, u := range objects {
		in.Request.Objects = append(in.Request.Objects, runtime.RawExtension{Object: u})
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode review: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), conversionTimeout)
	defer cancel()
	answer, err := w.call(ctx, w.spec.ClientConfig, body)
	if err != nil {
		return nil, err
	}
	return readAnswer(answer, in.Request.UID, gv)
}

// reviewVersion is the first version of reviews that the webhook knows and we do.
func (w *webhook) reviewVersion() (schema.GroupVersion, error) {
	for _, name := range w.spec.ConversionReviewVersions {
		if name == "v1" || name == "v1beta1" {
			return schema.GroupVersion{Group: apiextensionsv1.GroupName, Version: name}, nil
		}
	}
	return schema.GroupVersion{}, errors.New("no supported conversion review versions")
}

func readAnswer(body []byte, uid types.UID, gv schema.GroupVersion) ([]runtime.RawExtension, error) {
	var out review
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	strict := gv.Version == "v1" // what v1beta1 never checked stays unchecked
	if want := gv.WithKind("ConversionReview"); strict && out.GroupVersionKind() != want {
		return nil, fmt.Errorf("expected webhook response of %v, got %v", want, out.GroupVersionKind())
	}
	if out.Response == nil {
		return nil, errors.New("no response provided")
	}
	if strict && out.Response.UID != uid {
		return nil, fmt.Errorf("expected response.uid=%q, got %q", uid, out.Response.UID)
	}
	if result := out.Response.Result; result.Status != metav1.StatusSuccess {
		if result.Message != "" {
			return nil, errors.New(result.Message)
		}
		return nil, fmt.Errorf("response.result.status was '%s', not 'Success'", result.Status)
	}
	return out.Response.ConvertedObjects, nil
}

// sameObject refuses an answer that is about another object.
func sameObject(in, out *unstructured.Unstructured) error {
	for _, part := range []struct{ name, had, got string }{
		{"kind", in.GetKind(), out.GetKind()},
		{"name", in.GetName(), out.GetName()},
		{"namespace", in.GetNamespace(), out.GetNamespace()},
		{"UID", string(in.GetUID()), string(out.GetUID())},
	} {
		if part.had != part.got {
			return fmt.Errorf("must have the same %s: %v != %v", part.name, part.had, part.got)
		}
	}
	return nil
}

// restoreMetadata puts the object's own metadata into the answer, of which labels and annotations alone are taken.
func restoreMetadata(in, out *unstructured.Unstructured) error {
	answered, ok := out.Object["metadata"].(map[string]any)
	if !ok {
		return errors.New("missing metadata in converted object")
	}
	own, _, err := unstructured.NestedMap(in.Object, "metadata")
	if err != nil {
		return err
	}
	if own == nil {
		own = map[string]any{}
	}
	for _, name := range []string{"labels", "annotations"} {
		value := answered[name]
		if value == nil {
			delete(own, name)
			continue
		}
		texts, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("invalid metadata.%s of type %T in converted object", name, value)
		}
		if err := checkTexts(name, texts, own[name]); err != nil {
			return err
		}
		own[name] = texts
	}
	out.Object["metadata"] = own
	return nil
}

// checkTexts holds labels or annotations that the webhook changed against the rules for them.
func checkTexts(name string, texts map[string]any, had any) error {
	before, _ := had.(map[string]any)
	changed := len(before) != len(texts)
	plain := make(map[string]string, len(texts))
	for key, value := range texts {
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("metadata.%s[%s] must be a string, but is %T in converted object", name, key, value)
		}
		changed = changed || before[key] != value
		plain[key] = text
	}
	if !changed {
		return nil
	}
	if name == "labels" {
		return metavalidation.ValidateLabels(plain, field.NewPath("metadata", "labels")).ToAggregate()
	}
	return validation.ValidateAnnotations(plain, field.NewPath("metadata", "annotation")).ToAggregate()
}
