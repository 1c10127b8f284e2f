package daemon

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// health answers /healthz, /livez and /readyz. Ready means that what a cluster starts with has been written.
type health struct {
	mu struct {
		sync.Mutex
		waiting map[string]bool // steps of the start that are not done
	}
}

// startSteps must be done before the API calls itself ready.
var startSteps = []string{"rbac", "namespaces", "services"}

func newHealth() *health {
	h := &health{}
	h.mu.waiting = map[string]bool{}
	for _, step := range startSteps {
		h.mu.waiting[step] = true
	}
	return h
}

// done marks a step of the start.
func (h *health) done(step string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.waiting, step)
}

func (h *health) isWaiting(step string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.waiting[step]
}

// serve answers the request, or returns false when it is about something else.
func (h *health) serve(w http.ResponseWriter, r *http.Request) bool {
	root, one, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if root != "healthz" && root != "livez" && root != "readyz" {
		return false
	}
	checks := []string{"ping"}
	if root == "readyz" {
		checks = append(checks, startSteps...)
	}
	if one != "" {
		if !slices.Contains(checks, one) {
			return false
		}
		checks = []string{one}
	}
	h.answer(w, root, checks, r.URL.Query())
	return true
}

func (h *health) answer(w http.ResponseWriter, root string, checks []string, query map[string][]string) {
	var report strings.Builder
	failed := false
	for _, check := range checks {
		switch {
		case slices.Contains(query["exclude"], check):
			fmt.Fprintf(&report, "[+]%s excluded: ok\n", check)
		case h.isWaiting(check):
			failed = true
			fmt.Fprintf(&report, "[-]%s failed: not done yet\n", check)
		default:
			fmt.Fprintf(&report, "[+]%s ok\n", check)
		}
	}
	_, verbose := query["verbose"]
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache, private")
	switch {
	case failed:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "%s%s check failed\n", report.String(), root)
	case verbose:
		fmt.Fprintf(w, "%s%s check passed\n", report.String(), root)
	default:
		fmt.Fprint(w, "ok")
	}
}
