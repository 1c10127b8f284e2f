package encode_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
)

// sample is an object of the kind with metadata, as the store would keep it.
func sample(t *testing.T, table *kinds.Table, r *resource.Resource) *store.Item {
	t.Helper()
	obj := r.New()
	obj.SetName("a")
	obj.SetNamespace("n")
	obj.SetLabels(map[string]string{"k": "v"})
	obj.SetResourceVersion("overwritten")
	data, err := encode.ToStore(obj)
	if err != nil {
		t.Fatal(err)
	}
	return store.NewItem(store.Key{Table: r.Table(), Namespace: "n", Name: "a"}, 1234567, 1, data, nil, encode.Decoder(table))
}

// TestMergedRevision holds the one-copy idea to every kind: the decoders of the API libraries merge the second metadata
// field, alone and in a list.
func TestMergedRevision(t *testing.T) {
	table, scheme := kinds.Builtin(), kinds.NewScheme()
	decoder := protobuf.NewSerializer(scheme, scheme)
	for _, r := range table.Rows() {
		if r.Virtual {
			continue
		}
		versions := []*encode.Version{encode.Stored(r)}
		for _, s := range r.Served {
			gvr := r.GroupVersionKind().GroupVersion().WithResource(r.Name)
			gvr.Group, gvr.Version = s.Group, s.Version
			versions = append(versions, encode.VersionOf(table, gvr))
		}
		for _, v := range versions {
			item := sample(t, table, r)
			want, err := v.Object(item)
			if err != nil {
				t.Fatal(err)
			}
			if want.GetResourceVersion() != "1234567" {
				t.Errorf("%v: resourceVersion %q", v.Kind, want.GetResourceVersion())
			}
			p := encode.Responder{Accept: encode.Accept{Format: encode.Protobuf}}
			w := httptest.NewRecorder()
			if err := p.Item(w, 200, v, item); err != nil {
				t.Fatal(err)
			}
			got, gvk, err := decoder.Decode(w.Body.Bytes(), nil, nil)
			if err != nil {
				t.Fatalf("%v: %v", v.Kind, err)
			}
			got.GetObjectKind().SetGroupVersionKind(*gvk)
			if !equality.Semantic.DeepEqual(got, want) {
				t.Errorf("%v: got %+v, want %+v", v.Kind, got, want)
			}
			checkList(t, decoder, v, item, want)
		}
	}
}

func checkList(t *testing.T, decoder runtime.Decoder, v *encode.Version, item *store.Item, want resource.Object) {
	t.Helper()
	remaining := int64(3)
	list := &encode.List{Version: v, Items: []*store.Item{item, item}, Revision: 99, Continue: "next", Remaining: &remaining}
	var decoded [2]runtime.Object
	for i, format := range []encode.Format{encode.Protobuf, encode.JSON} {
		w := httptest.NewRecorder()
		if err := (encode.Responder{Accept: encode.Accept{Format: format}}).List(w, list); err != nil {
			t.Fatal(err)
		}
		if w.Header().Get("Content-Length") != "" && w.Result().ContentLength != int64(w.Body.Len()) {
			t.Errorf("%v: Content-Length %d, body %d", v.Kind, w.Result().ContentLength, w.Body.Len())
		}
		into := v.NewList()
		if format == encode.JSON {
			if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
				t.Fatalf("%v: %v", v.Kind, err)
			}
			decoded[i] = into
			continue
		}
		got, gvk, err := decoder.Decode(w.Body.Bytes(), nil, nil)
		if err != nil {
			t.Fatalf("%v: %v", v.Kind, err)
		}
		got.GetObjectKind().SetGroupVersionKind(*gvk)
		decoded[i] = got
	}
	if !equality.Semantic.DeepEqual(decoded[0], decoded[1]) {
		t.Errorf("%v: protobuf and JSON lists differ:\n%+v\n%+v", v.Kind, decoded[0], decoded[1])
	}
	items, err := meta.ExtractList(decoded[0])
	if err != nil || len(items) != 2 {
		t.Fatalf("%v: %d items, %v", v.Kind, len(items), err)
	}
	items[0].GetObjectKind().SetGroupVersionKind(v.Kind)
	if !equality.Semantic.DeepEqual(items[0], runtime.Object(want)) {
		t.Errorf("%v: item %+v, want %+v", v.Kind, items[0], want)
	}
}

// TestJSONHead: the type comes first in every kind's JSON, which lists rely on.
func TestJSONHead(t *testing.T) {
	table := kinds.Builtin()
	for _, r := range table.Rows() {
		obj := r.New()
		obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		b, err := json.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte(`{"kind":"`+r.Kind+`","apiVersion":"`)) {
			t.Errorf("%s: %s", reflect.TypeOf(obj), b[:40])
		}
	}
}
