package encode

import (
	"encoding/binary"
	"slices"
	"strconv"

	"proa/store"
)

// magic begins every protobuf body of the Kubernetes API.
const magic = "k8s\x00"

// Tags of the messages that are composed here by hand. See k8s.io/apimachinery generated.proto.
const (
	tagUnknownType   = 1<<3 | 2 // runtime.Unknown.typeMeta
	tagUnknownRaw    = 2<<3 | 2 // runtime.Unknown.raw
	tagTypeVersion   = 1<<3 | 2 // runtime.TypeMeta.apiVersion
	tagTypeKind      = 2<<3 | 2 // runtime.TypeMeta.kind
	tagMeta          = 1<<3 | 2 // metadata of every object and list
	tagMetaRevision  = 6<<3 | 2 // ObjectMeta.resourceVersion
	tagListRevision  = 2<<3 | 2 // ListMeta.resourceVersion
	tagListContinue  = 3<<3 | 2 // ListMeta.continue
	tagListRemaining = 4 << 3   // ListMeta.remainingItemCount
	tagListItem      = 2<<3 | 2 // items of every list
	tagEventType     = 1<<3 | 2 // WatchEvent.type
	tagEventObject   = 2<<3 | 2 // WatchEvent.object
	tagExtensionRaw  = 1<<3 | 2 // runtime.RawExtension.raw
)

func appendField(b []byte, tag byte, data string) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

func appendHead(b []byte, tag byte, size int) []byte {
	b = append(b, tag)
	return binary.AppendUvarint(b, uint64(size))
}

func headSize(size int) int {
	n := 2
	for size >= 0x80 {
		size >>= 7
		n++
	}
	return n
}

// appendUnknown begins a body: magic, type, and the head of rawSize bytes that the caller appends.
func appendUnknown(b []byte, apiVersion, kind string, rawSize int) []byte {
	b = append(b, magic...)
	b = appendHead(b, tagUnknownType, headSize(len(apiVersion))+len(apiVersion)+headSize(len(kind))+len(kind))
	b = appendField(b, tagTypeVersion, apiVersion)
	b = appendField(b, tagTypeKind, kind)
	return appendHead(b, tagUnknownRaw, rawSize)
}

// unknownSize is the length of a whole body with rawSize bytes behind what appendUnknown begins.
func unknownSize(apiVersion, kind string, rawSize int) int {
	version := headSize(len(apiVersion)) + len(apiVersion)
	typed := version + headSize(len(kind)) + len(kind)
	return len(magic) + headSize(typed) + typed + headSize(rawSize) + rawSize
}

// appendRevision appends the second metadata field that sets the resourceVersion of a stored object.
func appendRevision(b []byte, rev store.Revision) []byte {
	digits := byte(revisionSize(rev) - 4)
	b = append(b, tagMeta, digits+2, tagMetaRevision, digits)
	return strconv.AppendInt(b, int64(rev), 10)
}

func revisionSize(rev store.Revision) int {
	n := 5
	for rev >= 10 {
		rev /= 10
		n++
	}
	return n
}

// protoItem is an item's message without type, in two parts of one size: data, then the revision unless it is zero.
type protoItem struct {
	data []byte
	rev  store.Revision
}

func (p protoItem) size() int {
	if p.rev == 0 {
		return len(p.data)
	}
	return len(p.data) + revisionSize(p.rev)
}

func (p protoItem) append(b []byte) []byte {
	b = append(b, p.data...)
	if p.rev != 0 {
		b = appendRevision(b, p.rev)
	}
	return b
}

// proto gives the item's protobuf in this version. The stored version needs no copy and no cache.
func (v *Version) proto(item *store.Item) (protoItem, error) {
	if v.served == nil {
		return protoItem{item.Data, item.Revision}, nil
	}
	data, err := item.Encoded(v.form+1, func(item *store.Item) ([]byte, error) {
		obj, err := v.Object(item)
		if err != nil {
			return nil, err
		}
		return marshal(obj.(protoMessage))
	})
	return protoItem{data: data}, err
}

// appendItem appends a whole response body: the item with its type.
func (v *Version) appendItem(b []byte, item *store.Item) ([]byte, error) {
	p, err := v.proto(item)
	if err != nil {
		return nil, err
	}
	apiVersion := v.Kind.GroupVersion().String()
	size := p.size()
	b = slices.Grow(b, unknownSize(apiVersion, v.Kind.Kind, size))
	return p.append(appendUnknown(b, apiVersion, v.Kind.Kind, size)), nil
}
