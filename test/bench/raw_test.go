package main

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The items of a list are counted however its pieces are cut.
func TestItemCount(t *testing.T) {
	remaining := int64(7)
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "12", RemainingItemCount: &remaining}}
	for n := range 9 {
		list.Items = append(list.Items, *newPod(n))
	}
	answer, err := encoded(list)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1; size <= len(answer); size++ {
		var count itemCount
		for piece := range slices.Chunk(answer, size) {
			if err := count.add(piece); err != nil {
				t.Fatalf("pieces of %d: %v", size, err)
			}
		}
		if count.items != len(list.Items) {
			t.Fatalf("pieces of %d: %d items, not %d", size, count.items, len(list.Items))
		}
	}
	for _, bad := range []string{"{\"kind\": 1}", magic + "\x07"} {
		var count itemCount
		if err := count.add([]byte(bad)); err == nil {
			t.Errorf("%q: taken for a list of %d", bad, count.items)
		}
	}
}
