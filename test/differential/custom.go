package main

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The custom kinds of shared.yaml as Go types: the generator makes up values of them as of built-in ones. What the schemas do
// not have is among them too.

type widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              widgetSpec   `json:"spec"`
	Status            widgetStatus `json:"status,omitempty"`
}

type widgetSpec struct {
	Replicas int32             `json:"replicas,omitempty"`
	Size     widgetSize        `json:"size,omitempty"`
	Name     string            `json:"name"`
	Low      int64             `json:"low,omitempty"`
	High     int64             `json:"high,omitempty"`
	Ratio    float64           `json:"ratio,omitempty"`
	Fast     bool              `json:"fast,omitempty"`
	Note     *string           `json:"note,omitempty"`
	Since    metav1.Time       `json:"since,omitempty"`
	Duration metav1.Duration   `json:"duration,omitempty"`
	Address  string            `json:"address,omitempty"`
	Bytes    []byte            `json:"bytes,omitempty"`
	Memory   string            `json:"memory,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Words    []string          `json:"words,omitempty"`
	Ports    []widgetPort      `json:"ports,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	Box      widgetBox         `json:"box,omitempty"`
	Unit     widgetUnit        `json:"unit,omitempty"`
	Raw      widgetKept        `json:"raw,omitempty"`
	Kept     widgetKept        `json:"kept,omitempty"`
	Child    *widgetChild      `json:"child,omitempty"`
	Extra    string            `json:"extra,omitempty"`
}

type widgetSize string

type widgetPort struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol,omitempty"`
	Port     int32  `json:"port,omitempty"`
	Other    string `json:"other,omitempty"`
}

type widgetBox struct {
	Width  int32 `json:"width,omitempty"`
	Height int32 `json:"height,omitempty"`
	Depth  int32 `json:"depth,omitempty"`
}

type widgetUnit struct {
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

type widgetKept struct {
	Known string     `json:"known,omitempty"`
	Other []string   `json:"other,omitempty"`
	Inner widgetSeen `json:"inner,omitempty"`
}

type widgetSeen struct {
	X int32  `json:"x,omitempty"`
	Y string `json:"y,omitempty"`
}

type widgetChild struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
}

type widgetStatus struct {
	Replicas   int32              `json:"replicas,omitempty"`
	Selector   string             `json:"selector,omitempty"`
	Phase      string             `json:"phase,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

type gadget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              gadgetSpec `json:"spec,omitempty"`
	Status            widgetKept `json:"status,omitempty"`
}

type gadgetSpec struct {
	Mode    gadgetMode       `json:"mode,omitempty"`
	Limits  map[string]int32 `json:"limits,omitempty"`
	Weights []float64        `json:"weights,omitempty"`
	Steps   []gadgetStep     `json:"steps,omitempty"`
	Count   int64            `json:"count,omitempty"`
}

type gadgetMode string

type gadgetStep struct {
	Do     string     `json:"do"`
	After  []string   `json:"after,omitempty"`
	Nested widgetKept `json:"nested,omitempty"`
}
