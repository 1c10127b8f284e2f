package meta

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Internal shows a value in an error as upstream does where it validates its internal types: under Go's names of the
// fields, the empty ones included. People search for these messages.
func Internal(v any) json.Marshaler { return internal{reflect.ValueOf(v)} }

type internal struct{ value reflect.Value }

// MarshalJSON writes structs by their Go names; what has a JSON form of its own, such as a time, keeps it.
func (i internal) MarshalJSON() ([]byte, error) {
	v := i.value
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type().Implements(reflect.TypeFor[json.Marshaler]()) ||
		reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[json.Marshaler]()) {
		return json.Marshal(v.Interface())
	}
	var b bytes.Buffer
	for f := range v.NumField() {
		value, err := internal{v.Field(f)}.MarshalJSON()
		if err != nil {
			return nil, err
		}
		separator := `,"`
		if f == 0 {
			separator = `{"`
		}
		b.WriteString(separator + v.Type().Field(f).Name + `":`)
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
