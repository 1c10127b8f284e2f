package rbac

// userRoles are what people and programs that are not part of the cluster hold.
func userRoles() []grant {
	return []grant{
		{"cluster-admin", rules(
			allow("*", "*", "*"),
			urls("*", "*"),
		)},
		{"system:aggregate-to-admin", rules(
			allow("create", "authorization.k8s.io", "localsubjectaccessreviews"),
			allow(readWrite, "rbac.authorization.k8s.io", "rolebindings roles"),
		)},
		{"system:aggregate-to-edit", rules(
			allow(read, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
			allow("impersonate", "core", "serviceaccounts"),
			allow(write, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
			allow("create", "core", "pods/eviction"),
			allow(write, "core", "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy"),
			allow("create", "core", "serviceaccounts/token"),
			allow(write, "core events.k8s.io", "events"),
			allow(write, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"),
			allow(write, "autoscaling", "horizontalpodautoscalers"),
			allow(write, "batch", "cronjobs jobs"),
			allow(write, "extensions", "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale"),
			allow(write, "policy", "poddisruptionbudgets"),
			allow(write, "networking.k8s.io", "ingresses networkpolicies"),
			allow(readWrite, "coordination.k8s.io", "leases"),
			allow(write, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
		)},
		{"system:aggregate-to-view", rules(
			allow(read, "core", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status"),
			allow(read, "core", "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status"),
			allow(read, "core", "namespaces"),
			allow(read, "core events.k8s.io", "events"),
			allow(read, "discovery.k8s.io", "endpointslices"),
			allow(read, "apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"),
			allow(read, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
			allow(read, "batch", "cronjobs cronjobs/status jobs jobs/status"),
			allow(read, "extensions", "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale"),
			allow(read, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
			allow(read, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
			allow(read, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
		)},
		{"system:basic-user", rules(
			allow("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
			allow("create", "authentication.k8s.io", "selfsubjectreviews"),
		)},
		{"system:discovery", rules(urls("get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"))},
		{"system:public-info-viewer", rules(urls("get", "/healthz /livez /readyz /version /version/"))},
		{"system:monitoring", rules(
			urls("get", "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz"),
			allow("get", "core", "nodes/metrics"),
		)},
		{"system:service-account-issuer-discovery", rules(urls("get", "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"))},
		{"system:auth-delegator", rules(
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
		)},
	}
}

// controlPlaneRoles are what the parts of a control plane hold, ours or somebody else's.
func controlPlaneRoles() []grant {
	return []grant{
		{"system:kube-aggregator", rules(allow(read, "core", "endpoints services"))},
		{"system:kube-controller-manager", rules(
			emitEvents(),
			allow("create", "coordination.k8s.io", "leases"),
			named("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
			allow("create", "core", "secrets serviceaccounts"),
			allow("delete", "core", "secrets"),
			allow("get", "core", "configmaps namespaces secrets serviceaccounts"),
			allow("update", "core", "secrets serviceaccounts"),
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
			allow("list watch", "*", "*"),
			allow("create", "core", "serviceaccounts/token"),
		)},
		{"system:kube-scheduler", rules(
			emitEvents(),
			allow("create", "coordination.k8s.io", "leases"),
			named("get list watch update", "coordination.k8s.io", "leases", "kube-scheduler"),
			allow(readWrite, "coordination.k8s.io", "leasecandidates"),
			allow(read, "core", "nodes"),
			allow("get list watch delete", "core", "pods"),
			allow("create", "core", "bindings pods/binding"),
			allow("update patch", "core", "pods/status"),
			allow(read, "core", "replicationcontrollers services"),
			allow(read, "apps extensions", "replicasets"),
			allow(read, "apps", "statefulsets"),
			allow(read, "policy", "poddisruptionbudgets"),
			allow(read, "core", "persistentvolumeclaims persistentvolumes"),
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
			allow(read, "storage.k8s.io", "csinodes"),
			allow(read, "storage.k8s.io", "volumeattachments"),
			allow(read, "core", "namespaces"),
			allow(read, "storage.k8s.io", "csidrivers"),
			allow(read, "storage.k8s.io", "csistoragecapacities"),
			allow(read, "resource.k8s.io", "deviceclasses"),
			allow("get list watch update patch", "resource.k8s.io", "resourceclaims"),
			allow("get list watch update patch", "resource.k8s.io", "resourceclaims/status"),
			allow("update", "core", "pods/finalizers"),
			allow(read, "resource.k8s.io", "resourceslices"),
			allow("create delete", "resource.k8s.io", "resourceclaims"),
			allow("update patch", "resource.k8s.io", "resourceclaims/binding"),
		)},
		{"system:volume-scheduler", rules(
			allow("get list watch update patch", "core", "persistentvolumes"),
			allow(read, "storage.k8s.io", "storageclasses"),
			allow("get list watch update patch", "core", "persistentvolumeclaims"),
		)},
		{"system:kube-dns", rules(allow("list watch", "core", "endpoints services"))},
		{"system:heapster", rules(
			allow(read, "core", "events namespaces nodes pods"),
			allow(read, "extensions", "deployments"),
		)},
		{"system:persistent-volume-provisioner", rules(
			allow("get list watch create delete", "core", "persistentvolumes"),
			allow("get list watch update", "core", "persistentvolumeclaims"),
			allow(read, "storage.k8s.io", "storageclasses"),
			allow("watch", "core", "events"),
			emitEvents(),
		)},
	}
}

// nodeRoles are what nodes and what runs on each of them hold. The API server narrows system:node to what a node's own pods need.
func nodeRoles() []grant {
	return []grant{
		{"system:node", rules(
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
			allow(read, "core", "services"),
			allow("get list watch create", "core", "nodes"),
			allow("update patch", "core", "nodes/status"),
			allow("update patch", "core", "nodes"),
			emitEvents(),
			allow(read, "core", "pods"),
			allow("create delete", "core", "pods"),
			allow("update patch", "core", "pods/status"),
			allow("create", "core", "pods/eviction"),
			allow(read, "core", "configmaps secrets"),
			allow("get", "core", "persistentvolumeclaims persistentvolumes"),
			allow("get", "core", "endpoints"),
			allow("get list watch create", "certificates.k8s.io", "certificatesigningrequests"),
			allow("get create update patch delete", "coordination.k8s.io", "leases"),
			allow("get", "storage.k8s.io", "volumeattachments"),
			allow("create", "core", "serviceaccounts/token"),
			allow("get update patch", "core", "persistentvolumeclaims/status"),
			allow(read, "storage.k8s.io", "csidrivers"),
			allow("get create update patch delete", "storage.k8s.io", "csinodes"),
			allow(read, "node.k8s.io", "runtimeclasses"),
			allow("get", "resource.k8s.io", "resourceclaims"),
			allow("deletecollection", "resource.k8s.io", "resourceslices"),
			allow("get", "core", "serviceaccounts"),
		)},
		{"system:node-bootstrapper", rules(allow("get list watch create", "certificates.k8s.io", "certificatesigningrequests"))},
		{"system:node-problem-detector", rules(
			allow("get", "core", "nodes"),
			allow("patch", "core", "nodes/status"),
			emitEvents(),
		)},
		{"system:node-proxier", rules(
			allow("list watch", "core", "endpoints services"),
			allow(read, "core", "nodes"),
			emitEvents(),
			allow("list watch", "networking.k8s.io", "servicecidrs"),
			allow("list watch", "discovery.k8s.io", "endpointslices"),
		)},
		{"system:kubelet-api-admin", rules(
			allow(read, "core", "nodes"),
			allow("proxy", "core", "nodes"),
			allow("*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
			allow("*", "core", "nodes/configz nodes/healthz nodes/pods"),
		)},
	}
}

// certificateRoles are what those hold who ask for certificates and approve them.
func certificateRoles() []grant {
	return []grant{
		{"system:certificates.k8s.io:certificatesigningrequests:nodeclient", rules(allow("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"))},
		{"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", rules(allow("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"))},
		{"system:certificates.k8s.io:kube-apiserver-client-approver", rules(named("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client"))},
		{"system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", rules(named("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"))},
		{"system:certificates.k8s.io:kubelet-serving-approver", rules(named("approve", "certificates.k8s.io", "signers", "kubernetes.io/kubelet-serving"))},
		{"system:certificates.k8s.io:legacy-unknown-approver", rules(named("approve", "certificates.k8s.io", "signers", "kubernetes.io/legacy-unknown"))},
	}
}
