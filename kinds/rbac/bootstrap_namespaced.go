package rbac

// systemRoles are the roles in kube-system.
func systemRoles() []grant {
	return []grant{
		{"extension-apiserver-authentication-reader", rules(named(read, "core", "configmaps", "extension-apiserver-authentication"))},
		{"system::leader-locking-kube-controller-manager", rules(
			allow("get list watch create update", "coordination.k8s.io", "leases"),
			allow("get list watch create update", "coordination.k8s.io", "leasecandidates"),
		)},
		{"system::leader-locking-kube-scheduler", rules(
			allow("get list watch create update", "coordination.k8s.io", "leases"),
			allow("get list watch create update", "coordination.k8s.io", "leasecandidates"),
		)},
		{"system:controller:bootstrap-signer", rules(allow(read, "core", "secrets"))},
		{"system:controller:cloud-provider", rules(allow("get list watch create", "core", "configmaps"))},
		{"system:controller:token-cleaner", rules(
			allow("get list watch delete", "core", "secrets"),
			emitEvents(),
		)},
	}
}

// publicRoles are the roles in kube-public.
func publicRoles() []grant {
	return []grant{
		{"system:controller:bootstrap-signer", rules(
			allow(read, "core", "configmaps"),
			named("update", "core", "configmaps", "cluster-info"),
			emitEvents(),
		)},
	}
}
