package auth_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/rbac"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

func benchAccess(b *testing.B) (store.Store, *auth.Access) {
	table := kinds.Builtin()
	db := storetest.New(b, encode.Decoder(table))
	put := func(obj resource.Object) {
		data, err := encode.ToStore(obj)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := db.Commit(context.Background(), store.Op{Key: store.Key{Table: table.Of(obj).Table(), Namespace: obj.GetNamespace(), Name: obj.GetName()},
			Expect: store.Any, Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	policy := rbac.Bootstrap()
	for _, o := range policy.ClusterRoles {
		put(o)
	}
	for _, o := range policy.ClusterRoleBindings {
		put(o)
	}
	put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x"}})
	return db, auth.NewAccess(db)
}

// BenchmarkDecision is what every request pays.
func BenchmarkDecision(b *testing.B) {
	_, access := benchAccess(b)
	a := auth.Attributes{User: auth.User{Name: "system:serviceaccount:kube-system:deployment-controller",
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}},
		Verb: "update", APIGroup: "apps", APIVersion: "v1", Resource: "deployments", Subresource: "status", Namespace: "a", Name: "x", IsResourceRequest: true}
	b.ReportAllocs()
	for b.Loop() {
		if allowed, _, _ := access.Authorize(context.Background(), a); !allowed {
			b.Fatal("refused")
		}
	}
}

// BenchmarkDecisionAfterWrite is what the first request after a write of something else pays.
func BenchmarkDecisionAfterWrite(b *testing.B) {
	db, access := benchAccess(b)
	a := auth.Attributes{User: auth.User{Name: "system:kube-scheduler"}, Verb: "create", Resource: "pods", Subresource: "binding", Namespace: "a", Name: "x", IsResourceRequest: true}
	data, _ := encode.ToStore(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x"}})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if _, err := db.Commit(context.Background(), store.Op{Key: store.Key{Table: "configmaps", Namespace: "a", Name: "x"}, Expect: store.Any, Data: data}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if allowed, _, _ := access.Authorize(context.Background(), a); !allowed {
			b.Fatal("refused")
		}
	}
}
