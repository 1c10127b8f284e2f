package serve

import (
	"encoding/json"
	"net/http"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/node/run"
)

// pods lists the node's pods with the status that the node knows, which may be ahead of the API's.
func (s *Server) pods(w http.ResponseWriter, _ *http.Request) {
	list := v1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []v1.Pod{}}
	for _, served := range s.cfg.Pods.Pods() {
		pod := *served.Pod
		pod.Status = served.Status
		list.Items = append(list.Items, pod)
	}
	s.writeJSON(w, &list)
}

// runningPods lists what runs, with the little that the runtime needs to know: names and containers.
func (s *Server) runningPods(w http.ResponseWriter, _ *http.Request) {
	list := v1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []v1.Pod{}}
	for _, served := range s.cfg.Pods.Pods() {
		running := v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: served.Pod.Name, Namespace: served.Pod.Namespace, UID: served.Pod.UID}}
		for _, c := range served.Containers {
			if c.Running {
				running.Spec.Containers = append(running.Spec.Containers, v1.Container{Name: c.Name})
			}
		}
		if len(running.Spec.Containers) > 0 {
			list.Items = append(list.Items, running)
		}
	}
	s.writeJSON(w, &list)
}

func (s *Server) writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.cfg.Log.Debug("write response", "error", err)
	}
}

// newest is the last container of a name, or the one before it.
func newest(served run.Served, name string, before bool) (run.ServedContainer, bool) {
	for _, c := range served.Containers {
		if c.Name != name {
			continue
		}
		if !before {
			return c, true
		}
		before = false
	}
	return run.ServedContainer{}, false
}
