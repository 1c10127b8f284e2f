package verbs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/store"
)

// futureWait is how long a read waits for a revision that has not been committed yet, as upstream's.
const futureWait = 3 * time.Second

// parseRevision reads a resourceVersion parameter; "" and "0" are 0.
func parseRevision(s string) (store.Revision, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: resourceVersion: Invalid value: %q: %v", s, err))
	}
	return store.Revision(n), nil
}

// waitFor returns when the store has committed rev, or says that it lies too far in the future.
func (v *Verbs) waitFor(ctx context.Context, rev store.Revision) error {
	if rev == 0 || v.Store.Snapshot().Revision() >= rev {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, futureWait)
	defer cancel()
	if err := v.Store.WaitFor(waiting, rev); err != nil {
		return tooLargeRevision(rev, v.Store.Snapshot().Revision())
	}
	return nil
}
