package run

// Pod finds a pod of this node by name; among several of one name, the one that is not being deleted.
func (r *Runner) Pod(namespace, name string) (Served, bool) {
	var found Served
	ok := false
	for _, w := range r.allWorkers() {
		s := w.served()
		if s.Pod.Namespace != namespace || s.Pod.Name != name || w.orphan {
			continue
		}
		if !ok || s.Pod.DeletionTimestamp == nil {
			found, ok = s, true
		}
	}
	return found, ok
}

// Pods lists the pods of this node.
func (r *Runner) Pods() []Served {
	var all []Served
	for _, w := range r.allWorkers() {
		if !w.orphan {
			all = append(all, w.served())
		}
	}
	return all
}
