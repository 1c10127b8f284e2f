package verbs

import (
	"strings"

	"proa/apiserver/admit"
	"proa/apiserver/chain"
	"proa/apiserver/stream"
)

// admitConnection asks admission whether a connection may be opened.
func (v *Verbs) admitConnection(c *call, info *chain.Info) error {
	rest := strings.Join(info.Parts[min(3, len(info.Parts)):], "/")
	options, err := stream.Options(c.Version.Resource.Name, c.Subresource, rest, c.query())
	if err != nil || options == nil {
		return err
	}
	a := v.attributes(&c.Request, admit.Connect, nil, nil, v.Store.Snapshot(), false)
	a.Body = &admit.Body{Operation: admit.Connect, Kind: options.GetObjectKind().GroupVersionKind(), Object: options}
	if err := v.Admission.Admit(c.raw.Context(), a); err != nil {
		return err
	}
	return v.Admission.Validate(c.raw.Context(), a)
}
