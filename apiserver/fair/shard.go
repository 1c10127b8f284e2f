package fair

// mostHand bounds the queues among which one flow's requests choose: a hash deals no more (flowcontrol.MostEntropy).
const mostHand = 15

// deal fills hand with different queues out of n, chosen by a flow's hash: shuffle sharding. Two flows that share one
// queue rarely share all of theirs, so a flow that fills its own leaves most others one that is short.
func deal(hash uint64, n int, hand []int) {
	var picks [mostHand]int
	for i := range hand {
		left := uint64(n - i)
		picks[i], hash = int(hash%left), hash/left
		card := picks[i] // counted among those that are left: step over the ones dealt before, the latest first
		for j := i - 1; j >= 0; j-- {
			if card >= picks[j] {
				card++
			}
		}
		hand[i] = card
	}
}
