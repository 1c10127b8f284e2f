package apiserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/client"
)

// benchPod is what a deployment's pod looks like.
const benchPod = `{"metadata":{"generateName":"web-5d4f8c7b9-","labels":{"app":"web","pod-template-hash":"5d4f8c7b9"},` +
	`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5d4f8c7b9","uid":"0b4ff6d1-8f6c-4b51-a1a3-7a6c1c1e4a11","controller":true,"blockOwnerDeletion":true}]},` +
	`"spec":{"serviceAccountName":"s","containers":[{"name":"c","image":"registry.example/web:1","ports":[{"containerPort":80}],` +
	`"env":[{"name":"A","value":"b"},{"name":"C","value":"d"}],"resources":{"requests":{"cpu":"100m","memory":"64Mi"}},` +
	`"readinessProbe":{"httpGet":{"path":"/","port":80}}}]}}`

func (p *place) serve(method, path, contentType, accept, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-User", "admin")
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	p.server.Handler().ServeHTTP(w, r)
	if w.Code >= 300 {
		p.t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w
}

const protobufType = "application/vnd.kubernetes.protobuf"

func BenchmarkCreatePod(b *testing.B) {
	p := newPlace(b)
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, benchPod)
		}
	})
}

func BenchmarkGetPod(b *testing.B) {
	p := newPlace(b)
	p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, strings.Replace(benchPod, `"web-5d4f8c7b9-"`, `"a","name":"a"`, 1))
	b.ReportAllocs()
	for b.Loop() {
		p.serve("GET", "/api/v1/namespaces/default/pods/a", "", protobufType, "")
	}
}

func BenchmarkPatchStatus(b *testing.B) {
	p := newPlace(b)
	p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, strings.Replace(benchPod, `"web-5d4f8c7b9-"`, `"a","name":"a"`, 1))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		p.serve("PATCH", "/api/v1/namespaces/default/pods/a/status", "application/strategic-merge-patch+json", protobufType,
			fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","message":"%d"}]}}`, n))
	}
}

func BenchmarkPatchPod(b *testing.B) {
	p := newPlace(b)
	p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, strings.Replace(benchPod, `"web-5d4f8c7b9-"`, `"a","name":"a"`, 1))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		p.serve("PATCH", "/api/v1/namespaces/default/pods/a", "application/strategic-merge-patch+json", protobufType,
			fmt.Sprintf(`{"metadata":{"annotations":{"round":"%[1]d"}},"spec":{"containers":[{"name":"c","image":"example.com/app:%[1]d"}]}}`, n))
	}
}

func BenchmarkLocalUpdateStatus(b *testing.B) {
	p := newPlace(b)
	p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, strings.Replace(benchPod, `"web-5d4f8c7b9-"`, `"a","name":"a"`, 1))
	local := p.server.Local(auth.User{Name: "system:node:n"})
	ref := client.Ref{Table: "pods", Namespace: "default", Name: "a"}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		pod, _ := client.Get[*corev1.Pod](local.View(), "pods", "default", "a")
		pod = pod.DeepCopy()
		pod.Status.Message = fmt.Sprint(n)
		if _, err := local.Update(context.Background(), ref, "status", pod, metav1.UpdateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// fill creates pods of 50 groups.
func (p *place) fill(pods int) {
	for n := range pods {
		body := strings.Replace(benchPod, `{"app":"web",`, fmt.Sprintf(`{"app":"web","group":"%d",`, n%50), 1)
		p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, body)
	}
}

func BenchmarkListLabel100Of5000Pods(b *testing.B) {
	p := newPlace(b)
	p.fill(5000)
	b.ReportAllocs()
	for b.Loop() {
		p.serve("GET", "/api/v1/namespaces/default/pods?labelSelector=group%3D7", "", protobufType, "")
	}
}

func BenchmarkList5000Pods(b *testing.B) {
	for _, accept := range []string{protobufType, "application/json"} {
		b.Run(accept, func(b *testing.B) {
			p := newPlace(b)
			var n atomic.Int32
			b.SetParallelism(64)
			done := make(chan struct{})
			for range 64 {
				go func() {
					for n.Add(1) <= 5000 {
						p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, benchPod)
					}
					done <- struct{}{}
				}()
			}
			for range 64 {
				<-done
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				r, _ := http.NewRequest("GET", p.http.URL+"/api/v1/pods", nil)
				r.Header.Set("X-User", "admin")
				r.Header.Set("Accept", accept)
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				size, _ := io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				b.SetBytes(size)
			}
		})
	}
}

// BenchmarkWatch100 creates 20 objects in a namespace that 100 clients watch, and waits until all have heard of them.
func BenchmarkWatch100(b *testing.B) {
	p := newPlace(b)
	events := make(chan struct{}, 1<<20)
	for range 100 {
		r, _ := http.NewRequest("GET", p.http.URL+"/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0", nil)
		r.Header.Set("X-User", "admin")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = resp.Body.Close() })
		go func() {
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				events <- struct{}{}
			}
		}()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		for i := range 20 {
			p.serve("POST", "/api/v1/namespaces/default/configmaps", "application/json", protobufType, fmt.Sprintf(`{"metadata":{"name":"m-%d-%d"},"data":{"key":"value"}}`, n, i))
		}
		for range 20 * 100 {
			<-events
		}
	}
}
