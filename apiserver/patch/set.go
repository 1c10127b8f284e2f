package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// set is a set of paths into an object, as metadata.managedFields writes them (FieldsV1): a step is "f:name" for a field,
// `k:{"name":"c"}` for an element of a list with keys, `v:"x"` for one of a set.
type set struct {
	member bool // the path that ends here is in the set
	steps  map[string]*set
}

func (s *set) empty() bool { return !s.member && len(s.steps) == 0 }

// insert adds a path.
func (s *set) insert(path []string) {
	for _, step := range path {
		child := s.steps[step]
		if child == nil {
			child = &set{}
			if s.steps == nil {
				s.steps = map[string]*set{}
			}
			s.steps[step] = child
		}
		s = child
	}
	s.member = true
}

// add makes s the union of both. It takes over parts of other, which is not to be used any more.
func (s *set) add(other *set) {
	s.member = s.member || other.member
	for step, theirs := range other.steps {
		if mine := s.steps[step]; mine != nil {
			mine.add(theirs)
			continue
		}
		if s.steps == nil {
			s.steps = map[string]*set{}
		}
		s.steps[step] = theirs
	}
}

// remove takes the paths of other out of s, and says whether any was in it.
func (s *set) remove(other *set) bool {
	changed := false
	if other.member && s.member {
		s.member, changed = false, true
	}
	if len(s.steps) == 0 || len(other.steps) == 0 {
		return changed
	}
	for step, theirs := range other.steps {
		mine := s.steps[step]
		if mine == nil || !mine.remove(theirs) {
			continue
		}
		changed = true
		if mine.empty() {
			delete(s.steps, step)
		}
	}
	return changed
}

// appendJSON writes the set as FieldsV1.
func (s *set) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if s.member && len(s.steps) > 0 {
		b = append(b, `".":{}`...)
	}
	for i, step := range slices.Sorted(maps.Keys(s.steps)) {
		if i > 0 || s.member {
			b = append(b, ',')
		}
		b = append(appendString(b, step), ':')
		b = s.steps[step].appendJSON(b)
	}
	return append(b, '}')
}

// appendString quotes a step. What needs escaping is left to the JSON library.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '\\' {
			quoted, _ := json.Marshal(s) // a string
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	for {
		before, after, found := strings.Cut(s, `"`)
		b = append(b, before...)
		if !found {
			return append(b, '"')
		}
		b = append(b, '\\', '"')
		s = after
	}
}

var errFields = errors.New("fieldsV1 is not a set of fields")

// parseSet reads FieldsV1.
func parseSet(raw []byte) (*set, error) {
	s := &set{}
	rest, err := s.parse(raw)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errFields
	}
	s.member = false // the object itself is no field
	return s, nil
}

func (s *set) parse(b []byte) ([]byte, error) {
	b = skipSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return nil, errFields
	}
	b = skipSpace(b[1:])
	if len(b) > 0 && b[0] == '}' {
		s.member = true
		return b[1:], nil
	}
	for {
		step, rest, err := parseStep(b)
		if err != nil {
			return nil, err
		}
		child := &set{}
		if b, err = child.parse(rest); err != nil {
			return nil, err
		}
		if step == "." {
			s.member = true
		} else {
			if s.steps == nil {
				s.steps = map[string]*set{}
			}
			s.steps[step] = child
		}
		b = skipSpace(b)
		switch {
		case len(b) == 0:
			return nil, errFields
		case b[0] == '}':
			return b[1:], nil
		case b[0] != ',':
			return nil, errFields
		}
		b = skipSpace(b[1:])
	}
}

// parseStep reads a quoted step and the colon behind it.
func parseStep(b []byte) (string, []byte, error) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, errFields
	}
	end, escaped := 1, false
	for end < len(b) && b[end] != '"' {
		if b[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if end >= len(b) {
		return "", nil, errFields
	}
	step := string(b[1:end])
	if escaped {
		if err := json.Unmarshal(b[:end+1], &step); err != nil {
			return "", nil, errFields
		}
	}
	b = skipSpace(b[end+1:])
	if len(b) == 0 || b[0] != ':' {
		return "", nil, errFields
	}
	return step, b[1:], nil
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}
