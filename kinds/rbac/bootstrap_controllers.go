package rbac

// Controllers act as service accounts of kube-system; each holds what its work needs and nothing else.

// workloadControllers keep workloads running.
func workloadControllers() []grant {
	return []grant{
		{"cronjob-controller", rules(
			allow("get list watch update", "batch", "cronjobs"),
			allow("get list watch create update patch delete", "batch", "jobs"),
			allow("update", "batch", "cronjobs/status"),
			allow("update", "batch", "cronjobs/finalizers"),
			allow("list watch delete", "core", "pods"),
			emitEvents(),
		)},
		{"daemon-set-controller", rules(
			allow(read, "apps extensions", "daemonsets"),
			allow("update", "apps extensions", "daemonsets/status"),
			allow("update", "apps extensions", "daemonsets/finalizers"),
			allow("list watch", "core", "nodes"),
			allow("list watch create patch delete", "core", "pods"),
			allow("create", "core", "pods/binding"),
			allow("get list watch create update patch delete", "apps", "controllerrevisions"),
			emitEvents(),
		)},
		{"deployment-controller", rules(
			allow("get list watch update", "apps extensions", "deployments"),
			allow("update", "apps extensions", "deployments/status"),
			allow("update", "apps extensions", "deployments/finalizers"),
			allow("get list watch create update patch delete", "apps extensions", "replicasets"),
			allow("get list watch update", "core", "pods"),
			emitEvents(),
		)},
		{"disruption-controller", rules(
			allow(read, "apps extensions", "deployments"),
			allow(read, "apps extensions", "replicasets"),
			allow(read, "core", "replicationcontrollers"),
			allow(read, "policy", "poddisruptionbudgets"),
			allow(read, "apps", "statefulsets"),
			allow("update", "policy", "poddisruptionbudgets/status"),
			allow("update patch", "core", "pods/status"),
			allow("get", "*", "*/scale"),
			emitEvents(),
		)},
		{"horizontal-pod-autoscaler", rules(
			allow(read, "autoscaling", "horizontalpodautoscalers"),
			allow("update", "autoscaling", "horizontalpodautoscalers/status"),
			allow("get update", "*", "*/scale"),
			allow("list watch", "core", "pods"),
			allow("list watch", "metrics.k8s.io", "pods"),
			allow(read, "custom.metrics.k8s.io", "*"),
			allow(read, "external.metrics.k8s.io", "*"),
			emitEvents(),
		)},
		{"job-controller", rules(
			allow("get list watch update patch", "batch", "jobs"),
			allow("update", "batch", "jobs/status"),
			allow("update", "batch", "jobs/finalizers"),
			allow("list watch create patch delete", "core", "pods"),
			emitEvents(),
		)},
		{"pod-garbage-collector", rules(
			allow("list watch delete", "core", "pods"),
			allow(read, "core", "nodes"),
			allow("patch", "core", "pods/status"),
		)},
		{"replicaset-controller", rules(
			allow("get list watch update", "apps extensions", "replicasets"),
			allow("update", "apps extensions", "replicasets/status"),
			allow("update", "apps extensions", "replicasets/finalizers"),
			allow("list watch create patch delete", "core", "pods"),
			emitEvents(),
		)},
		{"replication-controller", rules(
			allow("get list watch update", "core", "replicationcontrollers"),
			allow("update", "core", "replicationcontrollers/status"),
			allow("update", "core", "replicationcontrollers/finalizers"),
			allow("list watch create patch delete", "core", "pods"),
			emitEvents(),
		)},
		{"statefulset-controller", rules(
			allow("list watch", "core", "pods"),
			allow(read, "apps", "statefulsets"),
			allow("update", "apps", "statefulsets/status"),
			allow("update", "apps", "statefulsets/finalizers"),
			allow("get create update patch delete", "core", "pods"),
			allow("get list watch create update patch delete", "apps", "controllerrevisions"),
			allow("get list watch create", "core", "persistentvolumeclaims"),
			allow("update delete", "core", "persistentvolumeclaims"),
			allow("update", "core", "pods/finalizers"),
			emitEvents(),
		)},
		{"ttl-after-finished-controller", rules(
			allow("get list watch delete", "batch", "jobs"),
			emitEvents(),
		)},
	}
}

// networkControllers connect what runs.
func networkControllers() []grant {
	return []grant{
		{"endpoint-controller", rules(
			allow(read, "core", "pods services"),
			allow("get list watch create update delete", "core", "endpoints"),
			allow("create", "core", "endpoints/restricted"),
			emitEvents(),
		)},
		{"endpointslice-controller", rules(
			allow(read, "core", "nodes pods services"),
			allow("update", "core", "services/finalizers"),
			allow("get list watch create update delete", "discovery.k8s.io", "endpointslices"),
			emitEvents(),
		)},
		{"endpointslicemirroring-controller", rules(
			allow(read, "core", "endpoints services"),
			allow("update", "core", "services/finalizers"),
			allow("update", "core", "endpoints/finalizers"),
			allow("get list watch create update delete", "discovery.k8s.io", "endpointslices"),
			emitEvents(),
		)},
		{"route-controller", rules(
			allow("list watch", "core", "nodes"),
			allow("patch", "core", "nodes/status"),
			emitEvents(),
		)},
		{"service-cidrs-controller", rules(
			allow("get list watch update patch", "networking.k8s.io", "servicecidrs"),
			allow("update patch", "networking.k8s.io", "servicecidrs/finalizers"),
			allow("update patch", "networking.k8s.io", "servicecidrs/status"),
			allow(read, "networking.k8s.io", "ipaddresses"),
			emitEvents(),
		)},
		{"apiservice-controller", rules(
			allow(read, "apiregistration.k8s.io", "apiservices"),
			allow("update patch", "apiregistration.k8s.io", "apiservices/status"),
			allow(read, "core", "services"),
			allow(read, "discovery.k8s.io", "endpointslices"),
		)},
		{"ip-address-controller", rules(
			allow(read, "core", "services"),
			allow("get list watch create delete", "networking.k8s.io", "ipaddresses"),
		)},
		{"edge-controller", rules(
			allow(read, "networking.k8s.io", "ingresses ingressclasses"),
			allow("update patch", "networking.k8s.io", "ingresses/status"),
			allow(read, "core", "services secrets"),
			allow(read, "discovery.k8s.io", "endpointslices"),
		)},
		{"service-controller", rules(
			allow(read, "core", "services"),
			allow("update patch", "core", "services/status"),
			allow("list watch", "core", "nodes"),
			emitEvents(),
		)},
	}
}

// volumeControllers bind and guard volumes and devices.
func volumeControllers() []grant {
	return []grant{
		{"attachdetach-controller", rules(
			allow("list watch", "core", "persistentvolumeclaims persistentvolumes"),
			allow(read, "core", "nodes"),
			allow("update patch", "core", "nodes/status"),
			allow("list watch", "core", "pods"),
			emitEvents(),
			allow("get list watch create delete", "storage.k8s.io", "volumeattachments"),
			allow(read, "storage.k8s.io", "csidrivers"),
			allow(read, "storage.k8s.io", "csinodes"),
		)},
		{"device-taint-eviction-controller", rules(
			allow("get list watch delete", "core", "pods"),
			allow("update patch", "core", "pods/status"),
			allow(read, "resource.k8s.io", "resourceclaims"),
			allow(read, "resource.k8s.io", "resourceslices"),
			allow(read, "resource.k8s.io", "deviceclasses"),
			emitEvents(),
		)},
		{"ephemeral-volume-controller", rules(
			allow(read, "core", "pods"),
			allow("update", "core", "pods/finalizers"),
			allow("get list watch create", "core", "persistentvolumeclaims"),
			emitEvents(),
		)},
		{"expand-controller", rules(
			allow("get list watch update patch", "core", "persistentvolumes"),
			allow("update patch", "core", "persistentvolumeclaims/status"),
			allow(read, "core", "persistentvolumeclaims"),
			emitEvents(),
		)},
		{"persistent-volume-binder", rules(
			allow("get list watch create update delete", "core", "persistentvolumes"),
			allow("update", "core", "persistentvolumes/status"),
			allow("get list watch update", "core", "persistentvolumeclaims"),
			allow("update", "core", "persistentvolumeclaims/status"),
			allow("get list watch create delete", "core", "pods"),
			allow(read, "storage.k8s.io", "storageclasses"),
			allow("list watch", "core", "nodes"),
			emitEvents(),
			allow("watch", "core", "events"),
		)},
		{"pv-protection-controller", rules(
			allow("get list watch update", "core", "persistentvolumes"),
			emitEvents(),
		)},
		{"pvc-protection-controller", rules(
			allow("get list watch update", "core", "persistentvolumeclaims"),
			allow("update", "core", "persistentvolumeclaims/status"),
			allow(read, "core", "pods"),
			emitEvents(),
		)},
		{"resource-claim-controller", rules(
			allow(read, "core", "pods"),
			allow("update", "core", "pods/finalizers"),
			allow("get list watch create delete", "resource.k8s.io", "resourceclaims"),
			allow("update patch", "resource.k8s.io", "resourceclaims resourceclaims/status"),
			allow("update patch", "core", "pods/status"),
			emitEvents(),
			allow("update patch", "resource.k8s.io", "resourceclaims/binding"),
		)},
		{"selinux-warning-controller", rules(
			emitEvents(),
			allow(read, "core", "persistentvolumes"),
			allow(read, "core", "persistentvolumeclaims"),
			allow(read, "core", "pods"),
			allow(read, "storage.k8s.io", "csidrivers"),
		)},
		{"volumeattributesclass-protection-controller", rules(
			allow(read, "core", "persistentvolumeclaims"),
			allow(read, "core", "persistentvolumes"),
			allow("get list watch update", "storage.k8s.io", "volumeattributesclasses"),
			emitEvents(),
		)},
	}
}

// clusterControllers keep the cluster itself in order.
func clusterControllers() []grant {
	return []grant{
		{"certificate-controller", rules(
			allow("get list watch delete", "certificates.k8s.io", "certificatesigningrequests"),
			allow("update", "certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status"),
			named("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
			named("sign", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
			emitEvents(),
		)},
		{"clusterrole-aggregation-controller", rules(allow("get list watch update patch escalate", "rbac.authorization.k8s.io", "clusterroles"))},
		{"generic-garbage-collector", rules(
			allow("get list watch update patch delete", "*", "*"),
			emitEvents(),
		)},
		{"legacy-service-account-token-cleaner", rules(
			named("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
			allow("patch delete", "core", "secrets"),
		)},
		{"namespace-controller", rules(
			allow("get list watch delete", "core", "namespaces"),
			allow("update", "core", "namespaces/finalize namespaces/status"),
			allow("get list watch delete deletecollection", "*", "*"),
		)},
		{"node-controller", rules(
			allow("get list watch update patch delete", "core", "nodes"),
			allow("update patch", "core", "nodes/status"),
			allow("update patch", "core", "pods/status"),
			allow("get list watch delete", "core", "pods"),
			emitEvents(),
		)},
		{"resourcequota-controller", rules(
			allow("list watch", "*", "*"),
			allow("update", "core", "resourcequotas/status"),
			emitEvents(),
		)},
		{"root-ca-cert-publisher", rules(
			allow("create update", "core", "configmaps"),
			emitEvents(),
		)},
		{"service-account-controller", rules(
			allow("create", "core", "serviceaccounts"),
			emitEvents(),
		)},
		{"ttl-controller", rules(
			allow("list watch update patch", "core", "nodes"),
			emitEvents(),
		)},
		{"validatingadmissionpolicy-status-controller", rules(
			allow(read, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
			allow("get update patch", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
			emitEvents(),
		)},
	}
}
