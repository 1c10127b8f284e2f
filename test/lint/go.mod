// The checkers that `make lint` runs, and their versions.
module proa/test/lint

go 1.26.0

require honnef.co/go/tools v0.8.2
