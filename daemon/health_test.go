package daemon

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The answers of /healthz, /livez and /readyz. Commands:
//
//	get      what a path answers
//	done     steps of the start are done
//	broken   the store takes no writes any more
//	stop     the server is to stop
func TestHealth(t *testing.T) {
	h := newHealth()
	datadriven.RunTest(t, "testdata/health.txt", func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "done":
			h.done(startSteps...)
			return ""
		case "stop":
			h.stop()
			return ""
		case "broken":
			h.storeFailed(errors.New("disk full"))
			return ""
		}
		w := httptest.NewRecorder()
		if !h.serve(w, httptest.NewRequest("GET", d.Input, nil)) {
			return "not served"
		}
		return fmt.Sprintf("%d %s", w.Code, w.Body.String())
	})
}
