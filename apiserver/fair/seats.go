package fair

import (
	"net/url"
	"strings"
	"time"

	"proa/kinds/resource"
	"proa/store"
)

const (
	bytesPerSeat = 100_000
	mostSeats    = 10 // for one request, whatever it asks; upstream's for lists that are streamed, and for writes

	// A write is followed by as many events as there are watches. Upstream counts a tenth of a seat for 5 ms for each of
	// them; here an event is encoded once and a watch costs a copy (docs/decisions/0015-seats.md).
	watchesPerSeat = 100
	fanOut         = time.Millisecond
)

// estimate is how many seats a request takes. most is the level's bound, 0 for none.
func (d *Dispatcher) estimate(q *Request, most int) width {
	if most <= 0 || most > mostSeats {
		most = mostSeats
	}
	if !q.IsResource {
		return width{seats: 1}
	}
	switch q.Verb {
	case "list":
		return width{seats: min(listSeats(d.source.Snapshot(), q), most)}
	case "watch":
		if !fromTheStart(q.Query) {
			return width{seats: 1}
		}
		return width{seats: min(listSeats(d.source.Snapshot(), q), most)}
	case "create", "update", "patch", "delete":
		if q.Subresource == "token" && q.Resource == "serviceaccounts" {
			return width{seats: 1} // nobody who watches hears of it
		}
		return writeWidth(d.watches.interested(q), most)
	}
	return width{seats: 1}
}

// listSeats is the size of the answer, guessed from how many objects there are and how big the first is.
func listSeats(snap store.Snapshot, q *Request) int {
	if q.Name != "" {
		return 1
	}
	table := resource.TableName(q.Group, q.Resource)
	count := snap.Len(table, q.Namespace)
	if limit := limitOf(q.Query); limit > 0 {
		count = min(count, limit)
	}
	if count == 0 {
		return 1
	}
	size := 0
	for item := range snap.List(table, q.Namespace, store.Key{}) {
		size = len(item.Data)
		break
	}
	return max(1, (min(count*size, mostSeats*bytesPerSeat)+bytesPerSeat-1)/bytesPerSeat)
}

func limitOf(query string) int {
	if !strings.Contains(query, "limit=") {
		return 0
	}
	values, _ := url.ParseQuery(query) // what is wrong with it is said by who serves it
	n := 0
	for _, digit := range values.Get("limit") {
		if digit < '0' || digit > '9' || n > 1<<30 {
			return 0
		}
		n = n*10 + int(digit-'0')
	}
	return n
}

// fromTheStart says whether a watch begins with what is there.
func fromTheStart(query string) bool {
	if query == "" {
		return true
	}
	values, _ := url.ParseQuery(query)
	switch values.Get("sendInitialEvents") {
	case "":
		rev := values.Get("resourceVersion")
		return rev == "" || rev == "0"
	case "true", "1":
		return true
	}
	return false
}

// writeWidth is one seat, and those of the events for as long as sending them takes.
func writeWidth(watches, most int) width {
	if watches < watchesPerSeat {
		return width{seats: 1}
	}
	final := (watches + watchesPerSeat - 1) / watchesPerSeat
	linger := time.Duration(final) * fanOut
	final = min(final, most)
	return width{seats: 1, final: final, linger: linger / time.Duration(final)}
}
