package stream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// serveLog copies a container's log from its node, as it comes when the client follows it.
func (s *Streams) serveLog(w http.ResponseWriter, r *http.Request, t Target) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return apierrors.NewMethodNotSupported(corev1.Resource("pods/log"), strings.ToLower(r.Method))
	}
	query := r.URL.Query()
	params, err := logParams(t.Name, query)
	if err != nil {
		return err
	}
	pod, err := lookup[*corev1.Pod](s.cfg.Source.Snapshot(), "pods", t.Namespace, t.Name)
	if err != nil {
		return err
	}
	container, err := chooseContainer(pod, query.Get("container"))
	if err != nil {
		return err
	}
	if pod.Spec.NodeName == "" {
		w.WriteHeader(http.StatusNoContent) // nothing has been logged yet
		return nil
	}
	host, err := s.nodeHost(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	location := url.URL{Scheme: "https", Host: host, RawQuery: params.Encode(),
		Path: "/containerLogs/" + pod.Namespace + "/" + pod.Name + "/" + container}
	response, err := s.askNode(r, location, flag(query, "insecureSkipTLSVerifyBackend"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := checkLogResponse(response, t.Name); err != nil {
		return err
	}
	if websocket.IsWebSocketUpgrade(r) {
		return sendLog(w, r, response.Body)
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(response.StatusCode)
	copyLog(w, response.Body, flag(query, "follow"))
	return nil
}

// askNode makes one request of the node, following no redirect.
func (s *Streams) askNode(r *http.Request, location url.URL, insecure bool) (*http.Response, error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, location.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask node: %w", err)
	}
	request.Header.Set("Accept", "text/plain, */*")
	transport := s.nodes
	if insecure {
		transport = s.nodesInsecure
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("Get %q: %w", location.String(), err)) //nolint:staticcheck // as users know it
	}
	return response, nil
}

// logParams are the parameters for the node, checked.
func logParams(name string, query url.Values) (url.Values, error) {
	params, wrong := url.Values{}, field.ErrorList{}
	for _, p := range [...]string{"follow", "previous", "timestamps"} {
		if flag(query, p) {
			params.Set(p, "true")
		}
	}
	least := map[string]int64{"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}
	for _, p := range [...]string{"tailLines", "limitBytes", "sinceSeconds"} {
		text := query.Get(p)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if n < least[p] {
			message := "must be greater than 0"
			if least[p] == 0 {
				message = "must be greater than or equal to 0"
			}
			wrong = append(wrong, field.Invalid(field.NewPath(p), n, message))
		}
		params.Set(p, strconv.FormatInt(n, 10))
	}
	if text := query.Get("sinceTime"); text != "" {
		var since metav1.Time
		if err := since.UnmarshalQueryParameter(text); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		params.Set("sinceTime", since.Format(time.RFC3339))
		if params.Has("sinceSeconds") {
			wrong = append(wrong, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
		}
	}
	wrong = append(wrong, logStream(params, query)...)
	if len(wrong) > 0 {
		return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("PodLogOptions").GroupKind(), name, wrong)
	}
	return params, nil
}

func logStream(params, query url.Values) field.ErrorList {
	stream := corev1.LogStreamAll
	if text := query.Get("stream"); text != "" {
		stream = text
	}
	params.Set("stream", stream)
	switch stream {
	case corev1.LogStreamAll:
	case corev1.LogStreamStdout, corev1.LogStreamStderr:
		if params.Has("tailLines") {
			return field.ErrorList{field.Forbidden(field.NewPath(""), "`tailLines` and specific `stream` are mutually exclusive for now")}
		}
	default:
		return field.ErrorList{field.NotSupported(field.NewPath("stream"), stream,
			[]string{corev1.LogStreamAll, corev1.LogStreamStderr, corev1.LogStreamStdout})}
	}
	return nil
}

// checkLogResponse turns what the node says is wrong into an API error.
func checkLogResponse(response *http.Response, name string) error {
	code := response.StatusCode
	if code >= http.StatusOK && code <= http.StatusPartialContent {
		return nil
	}
	if code >= http.StatusMultipleChoices && code < http.StatusBadRequest {
		return apierrors.NewInternalError(errors.New("the node answered with a redirect, which is not permitted"))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 2048))
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("read the node's answer: %w", err))
	}
	switch code {
	case http.StatusInternalServerError:
		return apierrors.NewInternalError(errors.New(string(body)))
	case http.StatusBadRequest:
		return apierrors.NewBadRequest(string(body))
	}
	return apierrors.NewGenericServerResponse(code, "", corev1.Resource("pods/log"), name, string(body), 0, false)
}

// copyLog copies until either end is gone. Lines are shown at once when the client follows.
func copyLog(w http.ResponseWriter, from io.Reader, follow bool) {
	if !follow {
		_, _ = io.Copy(w, from) // an error means that one end is gone: there is nobody left to tell
		return
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush() // the client learns that it is connected before the first line
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			_ = flush.Flush()
		}
		if err != nil {
			return
		}
	}
}
