package auth

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadTokens reads users by their bearer tokens from a file of upstream's form: a line "token,user,uid" each, after which the
// user's groups may follow in one field, separated by commas. Lines without a token are left out; of two lines with the same
// token the later one counts, as with upstream. The file is read once: changes need a restart.
func ReadTokens(name string) (map[string]User, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open token file: %w", err)
	}
	defer file.Close()
	lines := csv.NewReader(file)
	lines.FieldsPerRecord = -1
	users := map[string]User{}
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return users, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read token file %s: %w", name, err)
		}
		if len(fields) < 3 {
			line, _ := lines.FieldPos(0)
			return nil, fmt.Errorf("token file %s: line %d has %d columns: give at least token, user name and user uid", name, line, len(fields))
		}
		u := User{Name: fields[1], UID: fields[2]}
		if len(fields) > 3 && fields[3] != "" {
			u.Groups = strings.Split(fields[3], ",")
		}
		if fields[0] != "" {
			users[fields[0]] = u
		}
	}
}
