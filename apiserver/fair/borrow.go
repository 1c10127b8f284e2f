package fair

import (
	"math"
	"time"
)

const (
	// borrowPeriod is how often seats move between levels.
	borrowPeriod = 10 * time.Second
	// smoothing halves the memory of a high demand in five minutes, looked at every borrowPeriod.
	smoothing = 0.977
	// leastTarget stands for levels that want nothing, so that shares can be taken of it.
	leastTarget = 0.001
)

// bounds are the seats of a level: what it has of its own, what it never lends, and what it may have with all it borrows.
type bounds struct{ nominal, least, most int }

// wish is what a level was seen to want.
type wish struct {
	bounds
	exempt   bool
	seen     int     // the most seats that it wanted at once
	smoothed float64 // what it wants as a rule
	current  int     // what it has; kept if no fair share can be found
}

// smooth follows a demand up at once, and down slowly.
func smooth(old float64, seen look) float64 {
	if seen.lasted <= 0 {
		return old
	}
	envelope := seen.average + seen.deviation
	return max(envelope, smoothing*old+(1-smoothing)*envelope)
}

// borrow gives each level its seats until the next look: KEP-1040, "dispatching", as upstream computes it. Every level
// gets what it used, up to its nominal seats, and the rest is shared in proportion to what they want, within their bounds.
func borrow(levels []wish) []int {
	seats := make([]int, len(levels))
	total, leastSum, usedSum := 0, 0, 0
	for _, w := range levels {
		total += w.nominal
	}
	remaining := total
	for i, w := range levels {
		if w.exempt {
			seats[i] = max(w.least, w.seen)
			remaining -= seats[i]
			continue
		}
		leastSum += w.least
		usedSum += used(w)
	}
	var shares []float64
	if remaining > usedSum {
		shares = fairShares(total, levels)
	}
	for i, w := range levels {
		switch {
		case w.exempt:
		case remaining <= leastSum:
			seats[i] = w.least
		case remaining <= usedSum:
			fraction := float64(remaining-leastSum) / float64(usedSum-leastSum)
			seats[i] = w.least + int(math.Round(float64(used(w)-w.least)*fraction))
		case shares == nil:
			seats[i] = w.current
		default:
			seats[i] = int(math.Round(shares[i]))
		}
	}
	return seats
}

// used is what a level keeps in any case: what it wanted, up to what is its own.
func used(w wish) int { return max(w.least, min(w.nominal, w.seen)) }

// fairShares finds the one proportion at which the wishes of all levels that are not exempt, each held within its bounds,
// add up to total. It returns nil if there is none.
func fairShares(total int, levels []wish) []float64 {
	at := func(proportion float64) (shares []float64, sum float64) {
		shares = make([]float64, len(levels))
		for i, w := range levels {
			if !w.exempt {
				low := float64(used(w))
				want := max(low, w.smoothed, leastTarget)
				shares[i] = min(max(proportion*want, low), float64(w.most))
				sum += shares[i]
			}
		}
		return shares, sum
	}
	goal := float64(total)
	low, high := 0.0, 1.0
	if _, sum := at(low); sum > goal {
		return nil
	}
	if _, sum := at(math.Inf(1)); sum < goal {
		return nil
	}
	for _, sum := at(high); sum < goal; _, sum = at(high) {
		high *= 2
	}
	for range 100 { // the sum grows with the proportion, so halving finds it to the last bit
		middle := (low + high) / 2
		if _, sum := at(middle); sum < goal {
			low = middle
		} else {
			high = middle
		}
	}
	shares, _ := at(high)
	return shares
}
