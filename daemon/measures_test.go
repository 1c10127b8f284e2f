package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

// dashboards are the names and labels that the dashboards and alerts of kubernetes-mixin look at in what a control plane shows,
// those of admission, and of who asked for what.
const dashboards = `
aggregator_unavailable_apiservice name
aggregator_unavailable_apiservice_total name reason
apiserver_admission_controller_admission_duration_seconds name type operation rejected
apiserver_admission_step_admission_duration_seconds type operation rejected
apiserver_admission_webhook_admission_duration_seconds name type operation rejected
apiserver_admission_webhook_fail_open_count name type
apiserver_admission_webhook_rejection_count name type operation error_type rejection_code
apiserver_admission_webhook_request_total name type operation code rejected
apiserver_audit_event_total
apiserver_client_certificate_expiration_seconds
apiserver_current_inflight_requests request_kind
apiserver_flowcontrol_current_inqueue_requests priority_level flow_schema
apiserver_flowcontrol_rejected_requests_total priority_level flow_schema reason
apiserver_longrunning_requests verb group version resource subresource scope component
apiserver_request_duration_seconds verb dry_run group version resource subresource scope component
apiserver_request_sli_duration_seconds verb group version resource subresource scope component
apiserver_request_terminations_total verb group version resource subresource scope component code
apiserver_requested_deprecated_apis group version resource subresource removed_release
apiserver_request_total verb dry_run group version resource subresource scope component code
apiserver_response_sizes verb group version resource subresource scope component
apiserver_storage_objects resource
authenticated_user_requests username
authentication_attempts result
authorization_attempts_total result
kubernetes_build_info major minor git_version git_commit git_tree_state build_date go_version compiler platform
workqueue_adds_total name
workqueue_depth name
workqueue_longest_running_processor_seconds name
workqueue_queue_duration_seconds name
workqueue_retries_total name
workqueue_unfinished_work_seconds name
workqueue_work_duration_seconds name
`

// What dashboards look at is there, and what was done is counted.
func TestDashboardsFindWhatTheyLookAt(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := &Config{DataDir: filepath.Join(t.TempDir(), "data"), NodeName: "a", APIPort: uint16(port), Log: slog.New(slog.DiscardHandler)}
	if err := cfg.Default(); err != nil {
		t.Fatal(err)
	}
	c, err := openControl(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	admin := c.as(systemUser, "system:masters")
	worked := make(chan bool, 1)
	c.host, err = reconcile.New(reconcile.Config{Client: func(string) client.Client { return admin }, Kinds: c.kinds}, reconcile.Controller{
		Name: "seen", Identity: systemUser, Reads: []reconcile.Read{{Table: "namespaces", Keys: reconcile.Self}},
		Reconcile: func(context.Context, reconcile.Request) (reconcile.Result, error) {
			worked <- true
			return reconcile.Result{}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.host.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	if _, err := admin.Create(t.Context(), client.RefOf("namespaces", namespace), "", namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	<-worked
	c.door.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/pods", nil)) // by nobody: 403

	have := map[string]string{}
	var counted []string
	for _, f := range c.measures() {
		have[f.Name] = strings.TrimSpace(f.Name + " " + strings.Join(f.Labels, " "))
		for _, s := range f.Samples {
			counted = append(counted, strings.TrimSpace(fmt.Sprint(f.Name, " ", strings.Join(s.Values, " "))))
		}
	}
	for line := range strings.Lines(strings.TrimSpace(dashboards)) {
		line = strings.TrimSpace(line)
		if name, _, _ := strings.Cut(line, " "); have[name] != line {
			t.Errorf("%s is shown as %q", line, have[name])
		}
	}
	for _, want := range []string{
		"apiserver_request_sli_duration_seconds LIST  v1 pods  cluster apiserver", "apiserver_admission_controller_admission_duration_seconds ValidatingAdmissionWebhook validate CREATE false",
		"apiserver_admission_step_admission_duration_seconds validate CREATE false", "workqueue_adds_total seen",
	} {
		if !slices.Contains(counted, want) {
			t.Errorf("not counted: %s", want)
		}
	}
}
