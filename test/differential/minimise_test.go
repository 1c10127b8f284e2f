package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestHistoriesAreCutDown: of forty requests, what a difference needs is left, and of bodies what it is about.
func TestHistoriesAreCutDown(t *testing.T) {
	h := history{title: "seed 1, history 1"}
	for i := range 38 {
		h.exchanges = append(h.exchanges, exchange{request: request{"GET", fmt.Sprint("/n", i), []string{"Accept: application/yaml"}, ""}})
	}
	made := request{"POST", "/a?fieldManager=m1&dryRun=All", []string{"Content-Type: application/yaml", "Accept: text/plain"}, "metadata: {name: a}\nspec: {x: 1, list: [{b: 1}, {c: 2, d: 3}]}"}
	h.exchanges[17].request = made
	h.exchanges = append(h.exchanges, exchange{request: request{"GET", "/a?limit=1", nil, ""}})
	tries := 0
	m := minimiser{best: h, shows: func(h history) (history, bool) {
		tries++
		last := h.exchanges[len(h.exchanges)-1].request
		for _, e := range h.exchanges {
			body, _ := tree(e.request.body).(map[string]any)
			spec, _ := body["spec"].(map[string]any)
			list, _ := spec["list"].([]any)
			for _, item := range list {
				if item.(map[string]any)["c"] != nil {
					return h, strings.HasPrefix(last.path, "/a") && strings.Contains(e.request.path, "fieldManager=m1")
				}
			}
		}
		return h, false
	}}
	m.run()
	want := "[{{POST /a?fieldManager=m1 [Content-Type: application/json] " + pretty(map[string]any{"spec": map[string]any{"list": []any{map[string]any{"c": 2}}}}) + "} {0 [] }} {{GET /a [] } {0 [] }}]"
	if got := fmt.Sprint(m.best.exchanges); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if tries > 60 {
		t.Errorf("%d histories were asked; leaving out one request at a time takes that many", tries)
	}
}
