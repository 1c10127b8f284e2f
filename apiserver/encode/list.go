package encode

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/store"
)

// List is what a list request found.
type List struct {
	Version   *Version
	Items     []*store.Item
	Revision  store.Revision
	Continue  string
	Remaining *int64
}

func (l *List) meta() metav1.ListMeta {
	return metav1.ListMeta{ResourceVersion: FormatRevision(l.Revision), Continue: l.Continue, RemainingItemCount: l.Remaining}
}

func (l *List) metaJSON() ([]byte, error) {
	b, err := json.Marshal(l.meta())
	if err == nil && l.Version.Resource.Custom != nil && l.Continue == "" {
		b = append([]byte(`{"continue":"",`), b[1:]...) // upstream's lists of custom objects say so
	}
	return b, err
}

// kind of the list, such as "PodList".
func (l *List) kind() string {
	if l.Version.Resource.Custom != nil {
		return l.Version.Resource.ListKind()
	}
	return l.Version.Kind.Kind + "List"
}

// List answers with many items. Whole objects are written from the forms that each item keeps, one after the other.
func (p Responder) List(w http.ResponseWriter, l *List) error {
	if err := l.Version.prepare(l.Items); err != nil {
		return err
	}
	switch {
	case p.Accept.Shape == Table:
		return p.listTable(w, l)
	case p.Accept.Shape == Partial:
		return p.listPartial(w, l)
	case p.Accept.Format == Protobuf:
		return p.listProto(w, l)
	}
	return p.listJSON(w, l)
}

func (p Responder) listProto(w http.ResponseWriter, l *List) error {
	meta := l.meta()
	metaBytes, err := marshal(&meta)
	if err != nil {
		return err
	}
	size := headSize(len(metaBytes)) + len(metaBytes)
	items := make([]protoItem, len(l.Items))
	for i, item := range l.Items {
		if items[i], err = l.Version.proto(item); err != nil {
			return err
		}
		n := items[i].size()
		size += headSize(n) + n
	}
	head := appendUnknown(nil, l.Version.Kind.GroupVersion().String(), l.kind(), size)
	head = append(appendHead(head, tagMeta, len(metaBytes)), metaBytes...)
	metaSize := headSize(len(metaBytes)) + len(metaBytes)
	body := p.begin(w, http.StatusOK, len(head)-metaSize+size)
	out := bufio.NewWriterSize(body, min(recordBody, size))
	_, _ = out.Write(head)
	var b []byte
	for _, item := range items {
		b = appendHead(b[:0], tagListItem, item.size())
		_, _ = out.Write(b)
		_, _ = out.Write(item.data)
		if item.rev != 0 {
			b = appendRevision(b[:0], item.rev)
			_, _ = out.Write(b)
		}
	}
	return finish(out, body)
}

// finish reports no error: the client that went away is all that can be wrong, and then there is nobody to tell.
func finish(out *bufio.Writer, body io.Closer) error {
	if out.Flush() == nil {
		_ = body.Close()
	}
	return nil
}

func (p Responder) listJSON(w http.ResponseWriter, l *List) error {
	meta, err := l.metaJSON()
	if err != nil {
		return err
	}
	begin := []byte(`{"kind":"` + l.kind() + `","apiVersion":"` + l.Version.Kind.GroupVersion().String() + `","metadata":`)
	begin = append(append(begin, meta...), `,"items":[`...)
	type part struct {
		begin string
		rest  []byte
	}
	head := l.Version.jsonHead()
	parts := make([]part, len(l.Items))
	size := len(begin) + len("]}\n")
	for i, item := range l.Items {
		b, err := l.Version.json(item)
		if err != nil {
			return err
		}
		parts[i].begin, parts[i].rest = untyped(b, head)
		size += len(parts[i].begin) + len(parts[i].rest)
	}
	if len(parts) > 1 {
		size += len(parts) - 1
	}
	write := func(out io.Writer) {
		_, _ = out.Write(begin)
		for i, item := range parts {
			if i > 0 {
				_, _ = io.WriteString(out, ",")
			}
			_, _ = io.WriteString(out, item.begin)
			_, _ = out.Write(item.rest)
		}
		_, _ = io.WriteString(out, "]}\n")
	}
	if p.Accept.Format == YAML || p.Accept.Pretty {
		b := make(writeBuffer, 0, size)
		write(&b)
		return p.jsonBytes(w, http.StatusOK, b)
	}
	body := p.begin(w, http.StatusOK, size)
	out := bufio.NewWriterSize(body, min(recordBody, size))
	write(out)
	return finish(out, body)
}

type writeBuffer []byte

func (b *writeBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
