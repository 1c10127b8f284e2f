package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"proa/test/bench/wire"
)

const definitions = 20

// definition is a custom resource definition with a schema, a rule and a status.
func definition(n int) ([]byte, error) {
	plural := "things" + strconv.Itoa(n)
	type object = map[string]any
	schema := object{"type": "object", "properties": object{
		"spec": object{"type": "object", "properties": object{"size": object{"type": "integer", "minimum": 0}},
			"x-kubernetes-validations": []object{{"rule": "!has(self.size) || self.size < 100"}}},
		"status": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
	}}
	return json.Marshal(object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": object{"name": plural + ".bench.example"},
		"spec": object{"group": "bench.example", "scope": "Namespaced", "names": object{"plural": plural, "kind": "Thing" + strconv.Itoa(n)},
			"versions": []object{{"name": "v1", "served": true, "storage": true, "schema": object{"openAPIV3Schema": schema}, "subresources": object{"status": object{}}}}},
	})
}

// customKinds defines kinds one after another, and asks for each until it is served.
func (a *apiRun) customKinds(ctx context.Context) error {
	c := a.callers[0]
	var took []time.Duration
	for n := range definitions {
		body, err := definition(n)
		if err != nil {
			return fmt.Errorf("encode definition: %w", err)
		}
		begin := time.Now()
		if err := c.do("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", runtime.ContentTypeJSON, body); err != nil {
			return fmt.Errorf("define kind: %w", err)
		}
		if err := c.conn.Discard(); err != nil {
			return fmt.Errorf("define kind: %w", err)
		}
		if err := c.untilServed(ctx, "/apis/bench.example/v1/namespaces/default/things"+strconv.Itoa(n)); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	a.out("custom.p50", quantile(took, .5))
	a.out("custom.worst", quantile(took, 1))
	return nil
}

// untilServed lists a collection until it is there.
func (c caller) untilServed(ctx context.Context, path string) error {
	for {
		err := c.conn.Do(wire.Request{Method: "GET", Path: path, Accept: runtime.ContentTypeJSON})
		if err == nil {
			return c.conn.Discard()
		}
		var refused *wire.Refused
		if !errors.As(err, &refused) || refused.Status != 404 && refused.Status != 429 { // upstream answers 429 while it begins
			return fmt.Errorf("list things: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
