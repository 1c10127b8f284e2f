// Package fair shares the API server among those who ask: API priority and fairness (KEP-1040).
//
// It decides to which flow a request belongs (classify.go, by FlowSchemas), how many seats it takes (seats.go), how many
// seats each priority level has (plan.go, borrow.go), and which of those that wait is next (queueset.go). It owns the
// queues and the goroutines that wait in them. The chain calls Start before a request is served and Finish after it. All
// that decides is pure: it is told the time.
//
// The objects that say how to share are read from the newest snapshot, so a change counts from the next request on. When
// they are gone, the two levels that upstream calls mandatory are left: exempt for system:masters, catch-all for the rest.
// Callers in the same process do not pass here; they are part of the server that is protected.
package fair
