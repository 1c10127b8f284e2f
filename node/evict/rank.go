package evict

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1"
)

// rank puts the pods in the order in which they are evicted when a resource is short. For memory and disk: those that use more
// than they asked for, then by priority, then by how much more they use. For process ids: by priority, then by how many they have.
// Where one of two pods could not be measured, it goes first.
func rank(all []Usage, s Signal, imagesApart bool) []Usage {
	steps := []func(a, b *Usage) int{exceeding(s, imagesApart), byPriority, byExcess(s, imagesApart)}
	if s == PIDAvailable {
		steps = []func(a, b *Usage) int{byPriority, byProcesses}
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b Usage) int {
		for _, step := range steps {
			if c := step(&a, &b); c != 0 {
				return c
			}
		}
		return 0
	})
	return ranked
}

// excess is how much more a pod uses than it asked for.
func (u *Usage) excess(s Signal, imagesApart bool) int64 {
	meaning, _ := s.meaning()
	if s == MemoryAvailable {
		return u.Memory - request(u.Pod, v1.ResourceMemory)
	}
	return u.on(s, imagesApart).of(meaning.resource) - request(u.Pod, meaning.resource)
}

func exceeding(s Signal, imagesApart bool) func(a, b *Usage) int {
	return measured(func(a, b *Usage) int {
		return first(a.excess(s, imagesApart) > 0, b.excess(s, imagesApart) > 0)
	})
}

func byExcess(s Signal, imagesApart bool) func(a, b *Usage) int {
	return measured(func(a, b *Usage) int { return cmp.Compare(b.excess(s, imagesApart), a.excess(s, imagesApart)) })
}

func byPriority(a, b *Usage) int {
	return cmp.Compare(corev1.PodPriority(a.Pod), corev1.PodPriority(b.Pod))
}

var byProcesses = measured(func(a, b *Usage) int { return cmp.Compare(b.Processes, a.Processes) })

// measured puts pods of which nothing is known before those that can be compared.
func measured(compare func(a, b *Usage) int) func(a, b *Usage) int {
	return func(a, b *Usage) int {
		if !a.Known || !b.Known {
			return first(!a.Known, !b.Known)
		}
		return compare(a, b)
	}
}

// first puts what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
