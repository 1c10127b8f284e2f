package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// askForm asks a question and sketches the answer in one line: the code, the headers that matter, and of objects what they
// are and how they are called. Errors are written whole.
func (v *server) askForm(ctx context.Context, s *symbols, r request) (string, error) {
	resp, body, err := v.send(ctx, s, r)
	if err != nil && ctx.Err() == nil {
		return "no answer in time", nil
	}
	if err != nil {
		return "", err
	}
	line := fmt.Sprint(resp.StatusCode)
	for _, h := range headerOf(s, resp.Header) {
		if h != "Content-Type: application/json" {
			line += " (" + h + ")"
		}
	}
	media := resp.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(media, protobufType+";stream=watch"):
		return line + v.sketchFrames(s, body), nil
	case strings.HasPrefix(media, protobufType):
		return line + " " + sketch(s, v.fromProtobuf(body)), nil
	case streams(r, resp):
		return line + sketchLines(s, body), nil
	}
	var value any
	if json.Unmarshal(body, &value) == nil {
		if strings.Contains(string(body), "\n  ") {
			line += " indented"
		}
		return line + " " + sketch(s, value), nil
	}
	if yaml.Unmarshal(body, &value) == nil && isTree(value) {
		return line + " YAML " + sketch(s, value), nil
	}
	return line + " " + fmt.Sprintf("%q", s.message(string(body))), nil
}

var watches = regexp.MustCompile(`[?&]watch(=|&|$)|/watch/`)

func streams(r request, resp *http.Response) bool {
	return r.method == http.MethodGet && resp.StatusCode == http.StatusOK && watches.MatchString(r.path) && resp.ContentLength < 0
}

// sketchLines tells of a watch in JSON.
func sketchLines(s *symbols, body []byte) string {
	out := ""
	for _, line := range strings.Split(string(body), "\n") {
		var event struct {
			Type   string
			Object map[string]any
		}
		if line == "" {
			continue
		}
		if json.Unmarshal([]byte(line), &event) != nil {
			return out + fmt.Sprintf("%q", s.message(line))
		}
		out += sketchEvent(s, event.Type, event.Object)
	}
	return out
}

// sketchFrames tells of a watch in protobuf.
func (v *server) sketchFrames(s *symbols, body []byte) string {
	out := ""
	for len(body) > 4 {
		n := binary.BigEndian.Uint32(body)
		if body = body[4:]; int(n) > len(body) {
			return out + " broken frame"
		}
		var event metav1.WatchEvent
		if err := event.Unmarshal(body[:n]); err != nil {
			return out + " broken event"
		}
		object, _ := v.fromProtobuf(event.Object.Raw).(map[string]any)
		out += sketchEvent(s, event.Type, object)
		body = body[n:]
	}
	return out
}

func sketchEvent(s *symbols, kind string, object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	if kind == "BOOKMARK" && meta["annotations"] == nil && object["kind"] != "Table" {
		return "" // sent when the server finds time
	}
	if meta["annotations"] != nil {
		kind += " with annotations"
	}
	return " " + kind + " " + sketch(s, object) + ";"
}

// fromProtobuf reads a body as far as its type is known.
func (v *server) fromProtobuf(body []byte) any {
	var envelope runtime.Unknown
	if len(body) < 4 || envelope.Unmarshal(body[4:]) != nil {
		return "no protobuf"
	}
	gvk := envelope.GroupVersionKind()
	var obj any
	switch {
	case gvk.Kind == "PartialObjectMetadata":
		obj = &metav1.PartialObjectMetadata{}
	case gvk.Kind == "PartialObjectMetadataList":
		obj = &metav1.PartialObjectMetadataList{}
	case gvk.Kind == "Status":
		obj = &metav1.Status{}
	default:
		made, err := v.scheme.New(gvk)
		if err != nil {
			return fmt.Sprint("protobuf ", gvk)
		}
		obj = made
	}
	if err := obj.(interface{ Unmarshal([]byte) error }).Unmarshal(envelope.Raw); err != nil {
		return "no protobuf"
	}
	text, err := json.Marshal(obj)
	var value map[string]any
	if err != nil || json.Unmarshal(text, &value) != nil {
		return "no object"
	}
	value["apiVersion"], value["kind"] = envelope.APIVersion, envelope.Kind
	return value
}

// sketch tells what a body is.
func sketch(s *symbols, value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		return s.message(oneLine(value))
	}
	meta, _ := object["metadata"].(map[string]any)
	out := fmt.Sprint(object["apiVersion"], " ", object["kind"])
	if object["kind"] == "Status" {
		delete(object, "metadata")
		return oneLine(s.normalise(object))
	}
	if name := meta["name"]; name != nil {
		out += " " + s.text(fmt.Sprint(name))
	}
	if items, ok := object["items"].([]any); ok {
		out += sketchItems(s, items)
	}
	if columns, ok := object["columnDefinitions"].([]any); ok {
		out += fmt.Sprint(" ", len(columns), " columns")
	}
	if rows, ok := object["rows"].([]any); ok {
		for _, row := range rows {
			out += sketchRow(s, row.(map[string]any))
		}
	}
	if meta["continue"] != nil && meta["continue"] != "" {
		out += " continue"
	}
	if left := meta["remainingItemCount"]; left != nil {
		out += fmt.Sprint(" ", left, " left")
	}
	return out
}

func sketchItems(s *symbols, items []any) string {
	names := []string{}
	for _, item := range items {
		object, _ := item.(map[string]any)
		meta, _ := object["metadata"].(map[string]any)
		typed := ""
		if object["kind"] != nil {
			typed = fmt.Sprint(object["kind"], " ")
		}
		names = append(names, typed+s.text(fmt.Sprint(meta["name"])))
	}
	return fmt.Sprint(" ", names)
}

func sketchRow(s *symbols, row map[string]any) string {
	cells, _ := row["cells"].([]any)
	out := " row"
	for _, cell := range cells {
		if text := fmt.Sprint(cell); !ages.MatchString(text) {
			out += " " + s.text(text)
		}
	}
	if row["object"] == nil {
		return out
	}
	return out + " of " + sketch(s, row["object"])
}

func oneLine(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
