package auth_test

import (
	"context"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
)

// A decision never rests on roles older than the last write that returned, however many ask meanwhile.
func TestDecisionsFollowWrites(t *testing.T) {
	s := newState(t)
	access := auth.NewAccess(s)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"},
		Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}}
	s.put(role)
	a := auth.Attributes{User: auth.User{Name: "ann"}, Verb: "get", Resource: "pods", IsResourceRequest: true}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _, _ = access.Authorize(context.Background(), a)
				}
			}
		})
	}
	for range 300 {
		s.put(binding)
		if allowed, _, _ := access.Authorize(context.Background(), a); !allowed {
			t.Fatal("refused right after it was granted")
		}
		s.remove(binding)
		if allowed, _, _ := access.Authorize(context.Background(), a); allowed {
			t.Fatal("allowed right after it was taken away")
		}
	}
	close(stop)
	readers.Wait()
}
