package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Fleet is a number of ships under one flag.
type Fleet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   FleetSpec   `json:"spec,omitempty"`
	Status FleetStatus `json:"status,omitempty"`
}

// FleetSpec is what is wanted. The flag is given for life.
type FleetSpec struct {
	Ships int32  `json:"ships"`
	Flag  string `json:"flag,omitempty"`
}

// FleetStatus is what is there.
type FleetStatus struct {
	Ships      int32              `json:"ships"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// FleetList is a list of fleets.
type FleetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Fleet `json:"items"`
}

func (f *Fleet) DeepCopy() *Fleet {
	c := *f
	f.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	c.Status.Conditions = nil
	for _, condition := range f.Status.Conditions {
		c.Status.Conditions = append(c.Status.Conditions, *condition.DeepCopy())
	}
	return &c
}

func (f *Fleet) DeepCopyObject() runtime.Object { return f.DeepCopy() }

func (l *FleetList) DeepCopyObject() runtime.Object {
	c := *l
	l.ListMeta.DeepCopyInto(&c.ListMeta)
	c.Items = make([]Fleet, len(l.Items))
	for i := range l.Items {
		c.Items[i] = *l.Items[i].DeepCopy()
	}
	return &c
}

func addFleets(scheme *runtime.Scheme) error {
	version := schema.GroupVersion{Group: "sea.example", Version: "v1"}
	scheme.AddKnownTypes(version, &Fleet{}, &FleetList{})
	metav1.AddToGroupVersion(scheme, version)
	return nil
}
