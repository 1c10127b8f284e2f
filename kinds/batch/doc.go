// Package batch holds the rules of the kinds that run to an end: Job and CronJob. What they fill in, what they refuse, what
// kubectl shows, and the two notations that users write in them: schedules and sets of indexes.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table, and by their controllers. The rules of the pod template are in
// kinds/podspec. It needs nothing that could be gone.
package batch
