package verbs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/chain"
	"proa/kinds/resource"
	"proa/store"
)

// Upstream's wording, that users and programs know.
const (
	modified          = "the object has been modified; please apply your changes to the latest version and try again"
	expiredContinue   = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
	expiredNoContinue = "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter."
	expiredList       = "The resourceVersion for the provided list is too old."
)

// translate turns an error of the store about one object into the API's. It is the only place that does.
func translate(err error, q *Request) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrExists):
		return apierrors.NewAlreadyExists(q.groupResource(), q.Name)
	case errors.Is(err, store.ErrNotFound):
		return notFound(q)
	case errors.Is(err, store.ErrConflict):
		return apierrors.NewConflict(q.groupResource(), q.Name, errors.New(modified))
	case errors.Is(err, store.ErrCompacted):
		return apierrors.NewResourceExpired(expiredList)
	}
	return Translate(err)
}

// Translate is translate for callers that know no request: what a store refuses without a word about an object.
func Translate(err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil || errors.As(err, &status):
		return err
	case errors.Is(err, store.ErrClosed):
		return apierrors.NewServiceUnavailable("the store accepts no writes: " + err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return chain.TimedOut()
	}
	return err
}

func notFound(q *Request) error { return apierrors.NewNotFound(q.groupResource(), q.Name) }

// lostRace: another writer was first, and trying again with what it wrote may succeed.
func lostRace(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound)
}

// tooLargeRevision refuses to wait any longer for a revision that has not been committed.
func tooLargeRevision(asked, current store.Revision) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked, current), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	return err
}

// uidMismatch has the words of upstream's storage, which reach users. A dry run asks a layer above, which does not know under
// what all keys lie.
func uidMismatch(q *Request, want, have types.UID, dryRun bool) error {
	root := "/registry"
	if dryRun {
		root = "/"
	}
	return apierrors.NewConflict(q.groupResource(), q.Name,
		fmt.Errorf("StorageError: invalid object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: %v, UID in object meta: %v",
			path.Join(root, folder(q.Version.Resource), q.Namespace, q.Name), want, have))
}

// folders are those of upstream's storage that are not called as the resource is.
var folders = map[string]string{"replicationcontrollers": "controllers", "endpoints": "services/endpoints", "nodes": "minions",
	"services": "services/specs", "ingresses.networking.k8s.io": "ingress",
	"customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/customresourcedefinitions",
	"apiservices.apiregistration.k8s.io":             "apiregistration.k8s.io/apiservices"}

// folder is where upstream's storage keeps a resource.
func folder(r *resource.Resource) string {
	switch name, other := folders[r.Table()]; {
	case other:
		return name
	case r.Custom != nil:
		return path.Join(r.Group, r.Name)
	}
	return r.Name
}

// Wordless is the answer to a request that fits nothing which is served: with the code, and no details.
func Wordless(code int, message string) error {
	err := apierrors.NewGenericServerResponse(code, "", schema.GroupResource{}, "", message, 0, false)
	if message != "" {
		err.ErrStatus.Message = message
	}
	return err
}

var errMethod = Wordless(http.StatusMethodNotAllowed, "")
