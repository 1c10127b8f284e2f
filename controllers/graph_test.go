package controllers_test

import (
	"flag"
	"os"
	"testing"

	"proa/client/fake"
	"proa/controllers"
	"proa/kinds"
	"proa/reconcile"
)

var rewrite = flag.Bool("rewrite", false, "write the page instead of comparing it")

const page = "../docs/controllers.md"

const intro = `# Controllers

Who acts on the cluster: what each controller reads, which fields it alone writes, and where it deletes. The program refuses to
start with two writers of one field. This page is printed by the program; a test holds it to the code
(` + "`go test ./controllers -rewrite`" + `).

` + "```\n"

// The page in docs is the graph of the controllers that the program runs.
func TestGraphIsThePage(t *testing.T) {
	table := kinds.Builtin()
	host, err := reconcile.New(
		reconcile.Config{Client: fake.New(fake.Config{Kinds: table}).As, Kinds: table},
		controllers.All(controllers.Config{Kinds: table, RootCA: []byte("PEM"), Usage: noUsage{}, Edge: "192.0.2.1"})...)
	if err != nil {
		t.Fatal(err)
	}
	want := intro + host.Graph() + "```\n"
	if *rewrite {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s differs from what the program says of itself; see go test ./controllers -rewrite", page)
	}
}
