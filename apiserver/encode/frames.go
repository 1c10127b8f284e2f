package encode

import (
	"bytes"
	"sync/atomic"

	"proa/store"
)

// Frames are the newest events of a table in protobuf as they were sent to one of many who watch it: the others copy them. The
// zero Frames is empty, a nil one stays so. Any goroutine may use it.
type Frames struct {
	slots [frameCount]atomic.Pointer[frame]
}

// frameCount is how many events are kept: more than come between two writes to a watcher, seldom.
const frameCount = 512

type frame struct {
	kind  string
	item  *store.Item
	form  store.Form // of the version
	bytes []byte
}

// find is the frame of an event, or nil.
func (f *Frames) find(kind string, item *store.Item, v *Version) []byte {
	if f == nil {
		return nil
	}
	made := f.slots[uint64(item.Revision)%frameCount].Load()
	if made == nil || made.item != item || made.form != v.form || made.kind != kind {
		return nil
	}
	return made.bytes
}

// leave keeps a copy of a frame that was made.
func (f *Frames) leave(kind string, item *store.Item, v *Version, made []byte) {
	if f != nil {
		f.slots[uint64(item.Revision)%frameCount].Store(&frame{kind, item, v.form, bytes.Clone(made)})
	}
}
