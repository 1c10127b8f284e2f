package main

import (
	"flag"
	"os"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write docs/compatibility.md anew")

func TestCompatibilityIsWritten(t *testing.T) {
	const file = "../../docs/compatibility.md"
	if *rewrite {
		if err := os.WriteFile(file, []byte(compatibility()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != compatibility() {
		t.Errorf("%s is not what known.go says: go test ./test/differential -run Compatibility -rewrite", file)
	}
	for _, k := range knownDifferences {
		if k.reason == "" || k.request+k.where+k.upstream+k.ours == "" {
			t.Errorf("%+v: a known difference needs a pattern and a reason", k)
		}
	}
}
