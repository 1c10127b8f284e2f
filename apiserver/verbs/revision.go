package verbs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/store"
)

// futureWait is how long a read waits for a revision that has not been committed yet, as upstream's.
const futureWait = 3 * time.Second

// parseRevision reads the resourceVersion parameter of a list; "" and "0" are 0.
func parseRevision(s string) (store.Revision, error) {
	rev, err := storageRevision(s)
	if err != nil {
		return 0, apierrors.NewBadRequest("invalid resource version: " + err.Error())
	}
	return rev, nil
}

// storageRevision is parseRevision for single objects and watches, where upstream leaves it to its storage to find what is
// wrong, and answers 500.
func storageRevision(s string) (store.Revision, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("resourceVersion: Invalid value: %q: %w", s, err)
	}
	return store.Revision(min(n, math.MaxInt64)), nil
}

// waitFor returns when the store has committed rev, or says that it lies too far in the future.
func (v *Verbs) waitFor(ctx context.Context, rev store.Revision) error {
	if rev == 0 || v.Store.Snapshot().Revision() >= rev {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, futureWait)
	defer cancel()
	if err := v.Store.WaitFor(waiting, rev); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ctx.Err()
		}
		return tooLargeRevision(rev, v.Store.Snapshot().Revision())
	}
	return nil
}
