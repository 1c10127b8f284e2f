package apps

// defaultInt gives a number its default when the client left it out.
func defaultInt(at **int32, value int32) {
	if *at == nil {
		*at = &value
	}
}

// replicasOf reads spec.replicas; nil is what no defaulting has seen, and means one.
func replicasOf(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
