package state

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Budgets are the disruption budgets, by namespace and name.
type Budgets struct {
	all map[claimKey]*budget
}

type budget struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
}

func newBudgets() *Budgets { return &Budgets{all: map[claimKey]*budget{}} }

// Set takes the newest version of a budget.
func (b *Budgets) Set(pdb *policyv1.PodDisruptionBudget) {
	b.all[claimKey{pdb.Namespace, pdb.Name}] = &budget{pdb, selectorOf(pdb.Spec.Selector)}
}

// Delete forgets a budget.
func (b *Budgets) Delete(namespace, name string) { delete(b.all, claimKey{namespace, name}) }

// Protected are those of the pods that cannot go, one after the other as they are listed, without breaking a budget.
func (b *Budgets) Protected(pods []*Pod) map[*Pod]bool {
	protected := map[*Pod]bool{}
	allowed := map[*budget]int32{}
	for _, pod := range pods {
		for _, x := range b.all {
			if x.Namespace != pod.Pod.Namespace || x.selector.Empty() && len(pod.Pod.Labels) == 0 || !x.selector.Matches(labels.Set(pod.Pod.Labels)) {
				continue
			}
			if _, counted := x.Status.DisruptedPods[pod.Pod.Name]; counted {
				continue
			}
			allowed[x]++
			if allowed[x] > x.Status.DisruptionsAllowed {
				protected[pod] = true
			}
		}
	}
	return protected
}
