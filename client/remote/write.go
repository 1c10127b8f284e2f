package remote

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// Create implements client.Client.
func (r *Remote) Create(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.CreateOptions) (client.Object, error) {
	c, err := r.withBody(http.MethodPost, ref, sub, obj)
	if err != nil {
		return nil, err
	}
	if sub == "" {
		c.ref.Name = ""
		if c.ref.Namespace == "" {
			c.ref.Namespace = obj.GetNamespace()
		}
	}
	c.query = writeQuery(opts.DryRun, opts.FieldManager, opts.FieldValidation)
	return r.answer(ctx, c, obj)
}

// Update implements client.Client.
func (r *Remote) Update(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.UpdateOptions) (client.Object, error) {
	c, err := r.withBody(http.MethodPut, ref, sub, obj)
	if err != nil {
		return nil, err
	}
	c.query = writeQuery(opts.DryRun, opts.FieldManager, opts.FieldValidation)
	return r.answer(ctx, c, obj)
}

// Patch implements client.Client.
func (r *Remote) Patch(ctx context.Context, ref client.Ref, sub string, kind types.PatchType, patch []byte, opts metav1.PatchOptions) (client.Object, error) {
	row, err := r.row(ref.Table)
	if err != nil {
		return nil, err
	}
	c := &call{method: http.MethodPatch, row: row, ref: ref, sub: sub, body: patch, contentType: string(kind)}
	c.query = writeQuery(opts.DryRun, opts.FieldManager, opts.FieldValidation)
	if opts.Force != nil {
		c.query.Set("force", fmt.Sprint(*opts.Force))
	}
	return r.answer(ctx, c, row.New())
}

// Delete implements client.Client.
func (r *Remote) Delete(ctx context.Context, ref client.Ref, opts metav1.DeleteOptions) error {
	row, err := r.row(ref.Table)
	if err != nil {
		return err
	}
	body, contentType, err := r.encodeOptions(opts)
	if err != nil {
		return err
	}
	_, _, err = r.do(ctx, &call{method: http.MethodDelete, row: row, ref: ref, body: body, contentType: contentType})
	return err
}

// GetLive implements client.Client.
func (r *Remote) GetLive(ctx context.Context, ref client.Ref) (client.Object, error) {
	row, err := r.row(ref.Table)
	if err != nil {
		return nil, err
	}
	return r.answer(ctx, &call{method: http.MethodGet, row: row, ref: ref}, row.New())
}

func (r *Remote) withBody(method string, ref client.Ref, sub string, obj client.Object) (*call, error) {
	row, err := r.row(ref.Table)
	if err != nil {
		return nil, err
	}
	c := &call{method: method, row: row, ref: ref, sub: sub}
	c.body, c.contentType, err = r.encode(obj)
	return c, err
}

// answer sends a call and decodes what comes back, which is of the type of like. Some doors answer with a Status: then what
// was sent is returned, as a local client does.
func (r *Remote) answer(ctx context.Context, c *call, like client.Object) (client.Object, error) {
	body, contentType, err := r.do(ctx, c)
	if err != nil {
		return nil, err
	}
	if kindOf(contentType, body) == "Status" {
		return like, nil
	}
	into, err := r.empty(like)
	if err != nil {
		return nil, err
	}
	if err := decode(contentType, body, into); err != nil {
		return nil, err
	}
	return into, nil
}

func (r *Remote) empty(like client.Object) (client.Object, error) {
	kinds, _, err := r.scheme.ObjectKinds(like)
	if err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	obj, err := r.scheme.New(kinds[0])
	if err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	into, ok := obj.(client.Object)
	if !ok {
		return nil, fmt.Errorf("decode %T: it has no metadata", obj)
	}
	return into, nil
}

// encodeOptions writes the options of a deletion as JSON: nothing is gained by the other form.
func (r *Remote) encodeOptions(opts metav1.DeleteOptions) ([]byte, string, error) {
	opts.Kind, opts.APIVersion = "DeleteOptions", "v1"
	body, err := jsonOf(opts)
	return body, mediaJSON, err
}

func writeQuery(dryRun []string, manager, validation string) url.Values {
	query := url.Values{}
	for _, value := range dryRun {
		query.Add("dryRun", value)
	}
	if manager != "" {
		query.Set("fieldManager", manager)
	}
	if validation != "" {
		query.Set("fieldValidation", validation)
	}
	return query
}
