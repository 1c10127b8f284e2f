package encode

import (
	"bytes"
	"fmt"
	"reflect"
)

// mostLevels is how deep the messages of a protobuf body may lie in each other: as deep as those of JSON may.
const mostLevels = 10_000

var errTooDeep = fmt.Errorf("exceeded max depth of %d", mostLevels)

// tooDeep says whether a protobuf body nests so deep that the functions which unmarshal, convert and check it, and call
// themselves for each level, would take all of the process's stack: that is the end of the process, not of the request.
// Only types that hold themselves can be so.
func tooDeep(body []byte, into any) bool {
	body = bytes.TrimPrefix(body, []byte("k8s\x00"))
	return len(body) > mostLevels && levels(body) > mostLevels && holdsItself(reflect.TypeOf(into), nil)
}

// levels counts how deep messages lie in each other. What is a text or a message cannot be told without a schema, so it is
// the most that it can be. What no decoder would read ends where it stands.
func levels(body []byte) int {
	most := 0
	ends := []int{len(body)} // of the messages around at
	for at := 0; len(ends) > 0; {
		end := ends[len(ends)-1]
		if at >= end {
			ends = ends[:len(ends)-1]
			continue
		}
		next, inner := fieldAt(body[:end], at)
		if next < 0 { // this was no message after all
			at, ends = end, ends[:len(ends)-1]
			continue
		}
		at = next
		if inner > next {
			ends = append(ends, inner)
			most = max(most, len(ends)-1)
		}
	}
	return most
}

// fieldAt reads the head of the field at a position: where to go on, or -1, and, of one that has a length, where it ends.
func fieldAt(message []byte, at int) (next, end int) {
	tag, n := varint(message[at:])
	if n <= 0 || tag>>3 == 0 {
		return -1, 0
	}
	at += n
	switch tag & 7 {
	case 0:
		if _, n = varint(message[at:]); n <= 0 {
			return -1, 0
		}
		return at + n, 0
	case 1:
		at += 8
	case 2:
		size, n := varint(message[at:])
		if n <= 0 || size > uint64(len(message)-at-n) {
			return -1, 0
		}
		return at + n, at + n + int(size)
	case 5:
		at += 4
	case 6, 7:
		return -1, 0
	}
	if at > len(message) {
		return -1, 0
	}
	return at, 0 // of a group, what is in it
}

// varint reads a number as the decoders of the API's types do, which take more than the standard library: bits beyond the
// 64th are dropped.
func varint(b []byte) (value uint64, n int) {
	for i, c := range b[:min(len(b), 10)] {
		value |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return value, i + 1
		}
	}
	return 0, -1
}

// holdsItself says whether values of a type can lie in one another without end. around are the types on the way there.
func holdsItself(t reflect.Type, around []reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return holdsItself(t.Elem(), around)
	case reflect.Struct:
	default:
		return false
	}
	for _, outer := range around {
		if outer == t {
			return true
		}
	}
	around = append(around, t)
	for i := range t.NumField() {
		if holdsItself(t.Field(i).Type, around) {
			return true
		}
	}
	return false
}
