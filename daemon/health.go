package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/resource"
)

// health answers /healthz, /livez and /readyz. Ready means that what a cluster starts with has been written.
type health struct {
	mu struct {
		sync.Mutex
		waiting map[string]bool // steps of the start that are not done
		store   error           // why the store takes no writes any more; nil while it does
		stopped error           // errStopping once the server is to stop
	}
}

// startSteps must be done before the API calls itself ready. They have the names of upstream's hooks that do the same.
var startSteps = []string{
	rolesWritten, "poststarthook/scheduling/bootstrap-system-priority-classes", namespacesWritten,
	"poststarthook/apiservice-registration-controller", "poststarthook/bootstrap-controller",
}

const (
	rolesWritten      = "poststarthook/rbac/bootstrap-roles"
	namespacesWritten = "poststarthook/start-system-namespaces-controller"
	storeCheck        = "etcd" // as dashboards call the store
	stopCheck         = "shutdown"
)

var (
	errWaiting  = errors.New("not finished")
	errStopping = errors.New("process is shutting down")
)

func newHealth() *health {
	h := &health{}
	h.mu.waiting = map[string]bool{}
	for _, step := range startSteps {
		h.mu.waiting[step] = true
	}
	return h
}

// done marks steps of the start.
func (h *health) done(steps ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, step := range steps {
		delete(h.mu.waiting, step)
	}
}

// storeFailed says that the store takes no writes any more.
func (h *health) storeFailed(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.store = why
}

// stop says that the server is to stop: it is no longer ready.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.stopped = errStopping
}

// check says what is wrong with a part, nil for nothing.
func (h *health) check(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case name == storeCheck:
		return h.mu.store
	case name == stopCheck:
		return h.mu.stopped
	case h.mu.waiting[name]:
		return errWaiting
	}
	return nil
}

// serve answers the request, or returns false when it is about something else.
func (h *health) serve(w http.ResponseWriter, r *http.Request) bool {
	root, one, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	if root != "healthz" && root != "livez" && root != "readyz" {
		return false
	}
	checks := append([]string{"ping", storeCheck}, startSteps...)
	if root == "readyz" {
		checks = append(checks, stopCheck)
	}
	if root == "livez" { // a start that takes its time is no reason for a new one
		checks = checks[:2]
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache, private")
	switch {
	case one == "":
		h.answer(w, root, checks, r.URL.Query())
	case !slices.Contains(checks, one):
		return false
	default:
		if err := h.check(one); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "internal server error: %v\n", err)
			return true
		}
		fmt.Fprint(w, "ok")
	}
	return true
}

func (h *health) answer(w http.ResponseWriter, root string, checks []string, query map[string][]string) {
	var report strings.Builder
	failed := false
	for _, check := range checks {
		switch {
		case slices.Contains(query["exclude"], check):
			fmt.Fprintf(&report, "[+]%s excluded: ok\n", check)
		case h.check(check) != nil: // why is for who asks for this one check, which takes more rights
			failed = true
			fmt.Fprintf(&report, "[-]%s failed: reason withheld\n", check)
		default:
			fmt.Fprintf(&report, "[+]%s ok\n", check)
		}
	}
	var unknown []string
	for _, name := range query["exclude"] {
		if !slices.Contains(checks, name) {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		fmt.Fprintf(&report, "warn: some health checks cannot be excluded: no matches for %s\n", strings.Join(unknown, ","))
	}
	_, verbose := query["verbose"]
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

// components answers componentstatuses. Scheduler and controllers are parts of this process, which ends when one of them does:
// that they can be asked says that they run.
func (h *health) components(r *resource.Resource, name string) []resource.Object {
	var all []resource.Object
	for _, part := range []string{"controller-manager", "etcd-0", "scheduler"} {
		if name != "" && name != part {
			continue
		}
		condition := v1.ComponentCondition{Type: v1.ComponentHealthy, Status: v1.ConditionTrue, Message: "ok"}
		if err := h.check(storeCheck); err != nil && part == "etcd-0" {
			condition = v1.ComponentCondition{Type: v1.ComponentHealthy, Status: v1.ConditionFalse, Error: err.Error()}
		}
		all = append(all, &v1.ComponentStatus{TypeMeta: typeOf(r), ObjectMeta: metav1.ObjectMeta{Name: part}, Conditions: []v1.ComponentCondition{condition}})
	}
	return all
}
