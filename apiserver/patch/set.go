package patch

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unsafe"
)

// set is a set of paths into an object, as metadata.managedFields writes them (FieldsV1): a step is "f:name" for a field,
// `k:{"name":"c"}` for an element of a list with keys, `v:"x"` for one of a set.
//
// It is a tree whose branches are sorted slices: every write of an object makes some and throws them away, and maps would be
// most of its garbage.
type set struct {
	member bool // the path that ends here is in the set
	steps  []branch
}

// usualBranches is room for what most fields have.
const usualBranches = 4

// branch is what a set holds behind a step; branches of a set are in order of their steps.
type branch struct {
	step string
	set  set
}

func (s *set) empty() bool { return !s.member && len(s.steps) == 0 }

// find is where a step stands, or would. Steps mostly come in order: the last is looked at first.
func (s *set) find(step string) (at int, found bool) {
	if n := len(s.steps); n == 0 || s.steps[n-1].step < step {
		return n, false
	}
	return slices.BinarySearchFunc(s.steps, step, func(b branch, step string) int { return strings.Compare(b.step, step) })
}

// behind is the set behind a step, which is empty if there was none. It is good until s grows.
func (s *set) behind(step string) *set {
	at, found := s.find(step)
	if !found {
		if s.steps == nil {
			s.steps = make([]branch, 0, usualBranches)
		}
		s.steps = slices.Insert(s.steps, at, branch{step: step})
	}
	return &s.steps[at].set
}

// add makes s the union of both. Both share parts then, of which neither may be changed.
func (s *set) add(other *set) {
	s.member = s.member || other.member
	for i := range other.steps {
		theirs := &other.steps[i]
		if at, found := s.find(theirs.step); found {
			s.steps[at].set.add(&theirs.set)
		} else {
			s.steps = slices.Insert(s.steps, at, *theirs)
		}
	}
}

// remove takes the paths of other out of s, and says whether any was in it.
func (s *set) remove(other *set) bool {
	changed := false
	if other.member && s.member {
		s.member, changed = false, true
	}
	kept := s.steps[:0]
	next := 0 // of other
	for i := range s.steps {
		mine := &s.steps[i]
		for next < len(other.steps) && other.steps[next].step < mine.step {
			next++
		}
		if next < len(other.steps) && other.steps[next].step == mine.step && mine.set.remove(&other.steps[next].set) {
			changed = true
			if mine.set.empty() {
				continue
			}
		}
		kept = append(kept, *mine)
	}
	s.steps = kept
	return changed
}

// size is the number of paths in the set.
func (s *set) size() int {
	n := 0
	if s.member {
		n = 1
	}
	for i := range s.steps {
		n += s.steps[i].set.size()
	}
	return n
}

// appendJSON writes the set as FieldsV1.
func (s *set) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if s.member && len(s.steps) > 0 {
		b = append(b, `".":{}`...)
	}
	for i := range s.steps {
		if i > 0 || s.member {
			b = append(b, ',')
		}
		b = append(appendString(b, s.steps[i].step), ':')
		b = s.steps[i].set.appendJSON(b)
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
	rest, err := s.parse(string(raw)) // of which the steps are parts
	if err != nil {
		return nil, err
	}
	if skipSpace(rest) != "" {
		return nil, errFields
	}
	s.member = false // the object itself is no field
	return s, nil
}

func (s *set) parse(text string) (rest string, err error) {
	rest, leaf, err := readSteps(text, func(step, text string) (string, error) {
		if step == "." {
			s.member = true
			return new(set).parse(text)
		}
		behind := s.behind(step)
		*behind = set{} // of two, the last counts
		return behind.parse(text)
	})
	s.member = s.member || leaf
	return rest, err
}

// common is how many paths of the set stand in a FieldsV1 too, which is not made a set for that: most writes change nothing
// about who owns what.
func (s *set) common(raw []byte) (int, error) {
	n, rest, err := s.count(unsafe.String(unsafe.SliceData(raw), len(raw))) // nothing keeps the text
	if err == nil && skipSpace(rest) != "" {
		err = errFields
	}
	return n, err
}

func (s *set) count(text string) (n int, rest string, err error) {
	rest, leaf, err := readSteps(text, func(step, text string) (string, error) {
		behind := &noPath
		if at, found := s.find(step); found {
			behind = &s.steps[at].set
		} else if step == "." && s.member {
			behind = &onePath
		}
		more, rest, err := behind.count(text)
		n += more
		return rest, err
	})
	if leaf && s.member {
		n++
	}
	return n, rest, err
}

// noPath and onePath are what count finds behind steps that are not in the set. They never change.
var noPath, onePath = set{}, set{member: true}

// readSteps reads one object of FieldsV1. behind is called with each step and the text that follows it, and gives the text after
// what is behind the step. A leaf has no steps.
func readSteps(text string, behind func(step, text string) (rest string, err error)) (rest string, leaf bool, err error) {
	text = skipSpace(text)
	if text == "" || text[0] != '{' {
		return "", false, errFields
	}
	text = skipSpace(text[1:])
	if text != "" && text[0] == '}' {
		return text[1:], true, nil
	}
	for {
		step, rest, err := parseStep(text)
		if err != nil {
			return "", false, err
		}
		if text, err = behind(step, rest); err != nil {
			return "", false, err
		}
		text = skipSpace(text)
		switch {
		case text == "":
			return "", false, errFields
		case text[0] == '}':
			return text[1:], false, nil
		case text[0] != ',':
			return "", false, errFields
		}
		text = skipSpace(text[1:])
	}
}

// parseStep reads a quoted step and the colon behind it.
func parseStep(text string) (step, rest string, err error) {
	if text == "" || text[0] != '"' {
		return "", "", errFields
	}
	end, escaped := 1, false
	for end < len(text) && text[end] != '"' {
		if text[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if end >= len(text) {
		return "", "", errFields
	}
	step = text[1:end]
	if escaped {
		if step, err = unescaped(step); err != nil {
			return "", "", errFields
		}
	}
	rest = skipSpace(text[end+1:])
	if rest == "" || rest[0] != ':' {
		return "", "", errFields
	}
	return step, rest[1:], nil
}

// unescaped is what a string in JSON says. All that names of elements escape are quotes; the rest is left to the JSON library.
func unescaped(text string) (string, error) {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		plain := text[i] >= ' ' && text[i] < 0x7f
		if text[i] == '\\' {
			i++
			plain = i < len(text) && (text[i] == '"' || text[i] == '\\')
		}
		if !plain {
			var s string
			err := json.Unmarshal([]byte(`"`+text+`"`), &s)
			return s, err
		}
		b = append(b, text[i])
	}
	return string(b), nil
}

func skipSpace(text string) string {
	for text != "" && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}
