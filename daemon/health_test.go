package daemon

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadyWaitsForTheStart(t *testing.T) {
	h := newHealth()
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		if !h.serve(w, httptest.NewRequest("GET", path, nil)) {
			return 0, ""
		}
		return w.Code, w.Body.String()
	}
	if code, body := ask("/livez"); code != 200 || body != "ok" {
		t.Errorf("livez: %d %q", code, body)
	}
	if code, body := ask("/readyz"); code != 500 || !strings.Contains(body, "[-]rbac failed") {
		t.Errorf("readyz before: %d %q", code, body)
	}
	if code, _ := ask("/readyz/ping"); code != 200 {
		t.Errorf("readyz/ping: %d", code)
	}
	if code, _ := ask("/readyz/none"); code != 0 {
		t.Errorf("readyz/none: %d", code)
	}
	for _, step := range startSteps {
		h.done(step)
	}
	if code, body := ask("/readyz?verbose"); code != 200 || !strings.Contains(body, "[+]rbac ok") || !strings.HasSuffix(body, "readyz check passed\n") {
		t.Errorf("readyz after: %d %q", code, body)
	}
	if code, _ := ask("/api"); code != 0 {
		t.Errorf("api: %d", code)
	}
}
