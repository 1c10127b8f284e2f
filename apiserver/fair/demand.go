package fair

import (
	"math"
	"time"
)

// demand integrates how many seats a level would have used since the last look: those in use and those waited for.
type demand struct {
	begun, last  time.Duration
	seats        float64
	most         float64
	sum, squares float64 // over time, in seconds
}

func (d *demand) advance(now time.Duration) {
	if s := (now - d.last).Seconds(); s > 0 {
		d.sum += d.seats * s
		d.squares += d.seats * d.seats * s
		d.last = now
	}
}

func (d *demand) set(now time.Duration, seats int) {
	d.advance(now)
	d.seats = float64(seats)
	d.most = max(d.most, d.seats)
}

// look is what was seen in a period.
type look struct {
	average, deviation float64
	most               int
	lasted             time.Duration
}

// reset ends a period and begins the next.
func (d *demand) reset(now time.Duration) look {
	d.advance(now)
	seen := look{most: int(math.Round(d.most)), lasted: now - d.begun}
	if s := seen.lasted.Seconds(); s > 0 {
		seen.average = d.sum / s
		seen.deviation = math.Sqrt(max(0, d.squares/s-seen.average*seen.average))
	}
	*d = demand{begun: now, last: now, seats: d.seats, most: d.seats}
	return seen
}
