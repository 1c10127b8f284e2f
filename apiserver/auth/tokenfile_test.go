package auth_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"proa/apiserver/auth"
)

func TestReadTokens(t *testing.T) {
	for _, c := range []struct {
		content string
		want    map[string]auth.User
		wrong   string
	}{
		{content: "", want: map[string]auth.User{}},
		{content: "a,ann,1\nb,bob,2,\"system:masters,ops\"\nc,cy,,\n", want: map[string]auth.User{
			"a": {Name: "ann", UID: "1"}, "b": {Name: "bob", UID: "2", Groups: []string{"system:masters", "ops"}}, "c": {Name: "cy"},
		}},
		{content: "a,ann,1\n,nobody,0\na,anna,2\n", want: map[string]auth.User{"a": {Name: "anna", UID: "2"}}},
		{content: "a,ann,1\nb,bob\n", wrong: "line 2 has 2 columns: give at least token, user name and user uid"},
		{content: "a,\"ann,1\n", wrong: "read token file"},
	} {
		name := filepath.Join(t.TempDir(), "tokens.csv")
		if err := os.WriteFile(name, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := auth.ReadTokens(name)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: got error %v, want %q", c.content, err, c.wrong)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %v, %v, want %v", c.content, got, err, c.want)
		}
	}
	if _, err := auth.ReadTokens(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
