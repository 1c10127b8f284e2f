package pod

import "time"

// backoff doubles a delay from initial to limit at every next, and starts over after a quiet time of twice the limit.
// The zero value has not failed yet.
type backoff struct {
	delay time.Duration
	last  time.Time // of the last next
}

// limits are the bounds of one kind of backoff.
type limits struct{ initial, limit time.Duration }

// The bounds: crashes and image pulls as users know them from upstream; the others retry what usually heals soon.
func crashLimits() limits   { return limits{10 * time.Second, 300 * time.Second} }
func pullLimits() limits    { return limits{10 * time.Second, 300 * time.Second} }
func volumeLimits() limits  { return limits{500 * time.Millisecond, 30 * time.Second} }
func runtimeLimits() limits { return limits{time.Second, 30 * time.Second} }

// quiet says whether so much time passed since the last failure that it does not count any more.
func (b *backoff) quiet(l limits, at time.Time) bool {
	return b.delay == 0 || at.Sub(b.last) > 2*l.limit
}

// until is the moment before which nothing may be tried, counted from since; zero when there is none.
func (b *backoff) until(l limits, since time.Time) time.Time {
	if b.quiet(l, since) {
		return time.Time{}
	}
	return since.Add(b.delay)
}

// next counts one more failure.
func (b *backoff) next(l limits, at, now time.Time) {
	if b.quiet(l, at) {
		b.delay = l.initial
	} else {
		b.delay = min(2*b.delay, l.limit)
	}
	b.last = now
}
