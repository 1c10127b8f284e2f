package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// answers sends the requests in a file and prints each with its answer: "answers FILE". A request is VERB PATH, lines of
// its body, ---- and, after the answer's line, an empty one. <<N TEXT>> in a body is TEXT N times.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers FILE")
	}
	s, err := newStorm(ts)
	ts.Check(err)
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	base, _, err := rest.DefaultServerUrlFor(config)
	ts.Check(err)
	for _, block := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n\n") {
		request, _, _ := strings.Cut(block, "\n----")
		answer, err := ask(s.client, strings.TrimSuffix(base.String(), "/"), request)
		ts.Check(err)
		fmt.Fprintf(ts.Stdout(), "%s\n----\n%s\n\n", request, answer)
	}
}

func ask(client *http.Client, base, request string) (string, error) {
	var lines []string
	for _, line := range strings.Split(request, "\n") {
		if !strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
		}
	}
	verb, path, _ := strings.Cut(lines[0], " ")
	body := repeated(strings.Join(lines[1:], "\n"))
	req, err := http.NewRequest(verb, base+path, bytes.NewBufferString(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", mediaType(verb, body))
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var status struct{ Reason, Message string }
	if err := json.Unmarshal(text, &status); err != nil {
		status.Message = string(text) // paths that lead nowhere are answered in plain words
	}
	message := strings.ReplaceAll(status.Message, "\n", " ")
	return strings.TrimSpace(fmt.Sprintf("%d %s: %s", resp.StatusCode, status.Reason, message[:min(300, len(message))])), nil
}

func mediaType(verb, body string) string {
	switch {
	case verb == http.MethodPatch:
		return "application/merge-patch+json"
	case strings.HasPrefix(body, "{"):
		return "application/json"
	}
	return "application/yaml"
}

// repeated writes out what <<N TEXT>> stands for.
func repeated(body string) string {
	return regexp.MustCompile(`<<(\d+) (.*?)>>`).ReplaceAllStringFunc(body, func(m string) string {
		count, text, _ := strings.Cut(strings.Trim(m, "<>"), " ")
		n, _ := strconv.Atoi(count)
		return strings.Repeat(text, n)
	})
}

// stored lists what a namespace holds, without what a status says: "stored NAMESPACE FILE".
func stored(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stored NAMESPACE FILE")
	}
	s, err := newStorm(ts)
	ts.Check(err)
	base := strings.TrimSuffix(s.url, "/api/v1/namespaces/default/configmaps")
	var out strings.Builder
	for _, path := range []string{"/api/v1/namespaces/%s/pods", "/api/v1/namespaces/%s/services", "/api/v1/namespaces/%s/configmaps",
		"/api/v1/namespaces/%s/secrets", "/apis/apps/v1/namespaces/%s/deployments", "/apis/apps/v1/namespaces/%s/replicasets",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles", "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
		"/api/v1/namespaces/%s/limitranges"} {
		resp, err := s.client.Get(base + fmt.Sprintf(path, args[0]))
		ts.Check(err)
		var list struct {
			Items []map[string]any `json:"items"`
		}
		ts.Check(json.NewDecoder(resp.Body).Decode(&list))
		resp.Body.Close()
		for _, item := range list.Items {
			delete(item, "status")
			meta, _ := item["metadata"].(map[string]any)
			delete(meta, "resourceVersion")
			delete(meta, "managedFields")
			line, err := json.Marshal(item)
			ts.Check(err)
			fmt.Fprintf(&out, "%s %s\n", path, line)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o644))
}
