// Command differential asks upstream's API server and Proa's the same questions and compares the answers: codes, reasons,
// messages, causes, headers, objects with their defaults and managedFields, lists, watch events.
//
// A history is a short run of requests in a namespace of its own. A seeded generator makes it request by request from what
// upstream answered (generate.go); what a server chose itself, such as a uid, stands in it as a symbol (symbols.go), so that
// the same text can be asked again of any server. A difference is either known, with a reason (known.go), or fails the run;
// it is cut down to the shortest history that still shows it (minimise.go) and can be kept in testdata, with upstream's
// answers, where `go test` asks Proa alone (cases_test.go).
//
// Seeds (seeds.yaml) are of every kind that Proa serves, and of custom kinds, whose definitions are among the objects that
// each run begins with (shared.go). What would change how other histories are answered is only tried (tame.go).
//
// Forms (forms.go) are questions that change nothing: lists, watches and shapes asked for in every way. Upstream's answers to
// them, a line each, are kept in testdata/forms; -forms asks upstream anew.
//
// A run is a function of its seed: two of them print the same, down to a sum of all requests. What upstream answers from
// caches is waited for (caches.go), what it takes from maps is sorted (causes.go), and a class that is new must show itself
// again (confirm.go). Classes that are found and not mended yet stand in open.txt, which -open writes anew.
//
// It owns both servers, which listen on loopback alone and end with the run. Without upstream's programs it replays what was
// recorded.
package main
