package imagegc

import (
	"cmp"
	"math"
	"slices"
	"time"

	"proa/node/cri"
)

// Policy says when images are removed, in percent of the file system that they are on.
type Policy struct {
	High   int           // when as much is used, images are removed; 0: never
	Low    int           // until no more than this is
	MinAge time.Duration // images that are known for less stay
}

// record is what is known of an image over time. It does not outlive the process: after a restart every image is new.
type record struct{ found, used time.Time }

// ledger knows when each image was used last.
type ledger map[string]record

// note takes down what is there now.
func (l ledger) note(now time.Time, images []cri.ImageNames, used map[string]bool) {
	there := map[string]bool{}
	for _, image := range images {
		there[image.ID] = true
		r, known := l[image.ID]
		if !known {
			r.found = now
		}
		if inUse(image, used) {
			r.used = now
		}
		l[image.ID] = r
	}
	for id := range l {
		if !there[id] {
			delete(l, id)
		}
	}
}

func inUse(image cri.ImageNames, used map[string]bool) bool {
	return used[image.ID] || slices.ContainsFunc(image.Names, func(name string) bool { return used[name] })
}

// removable are the images that may go, in the order in which they go: least recently used first. Those stay that a container or
// pod uses, that the runtime needs, that are new, and that no registry can give back.
func (l ledger) removable(now time.Time, images []cri.ImageNames, used map[string]bool, p Policy) []cri.ImageNames {
	var all []cri.ImageNames
	for _, image := range images {
		if !inUse(image, used) && !image.Pinned && image.Pulled && now.Sub(l[image.ID].found) >= p.MinAge {
			all = append(all, image)
		}
	}
	slices.SortStableFunc(all, func(a, b cri.ImageNames) int {
		if c := l[a.ID].used.Compare(l[b.ID].used); c != 0 {
			return c
		}
		return cmp.Or(l[a.ID].found.Compare(l[b.ID].found), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// everything is more than any image holds.
const everything = math.MaxInt64

// excess is how much has to be removed of a file system of which so much is available; 0 while there is room.
func (p Policy) excess(available, capacity int64) int64 {
	if p.High == 0 || capacity == 0 || usedPercent(available, capacity) < p.High {
		return 0
	}
	return max(capacity/100*int64(100-p.Low)-available, 0)
}

func usedPercent(available, capacity int64) int {
	return 100 - int(min(available, capacity)*100/capacity)
}

// enough takes images until they hold as much as is wanted, and says how much that is.
func enough(all []cri.ImageNames, wanted int64) (taken []cri.ImageNames, freed int64) {
	for _, image := range all {
		if freed >= wanted {
			break
		}
		taken, freed = append(taken, image), freed+image.Size
	}
	return taken, freed
}
