package custom

import (
	"encoding/json"
	"fmt"
	"math"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mostGain is how many bytes of JSON defaults may add to an object: what the largest request has.
const mostGain = 3 << 20

// gain tells how much the defaults of a schema add to an object, without adding them: a default in the items of a list
// makes many times the request of a list of nothing. nil adds nothing.
type gain struct {
	size       int // of the default, with the defaults inside of it; 0: there is none
	nullable   bool
	properties map[string]*gain
	items      *gain
	values     *gain // of additionalProperties
}

// gainOf works out the sizes, the inner ones first.
func gainOf(s *structural.Structural) (*gain, error) {
	if s == nil {
		return nil, nil
	}
	g := &gain{nullable: s.Nullable}
	some := s.Default.Object != nil
	for name := range s.Properties {
		property := s.Properties[name]
		inner, err := gainOf(&property)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			continue
		}
		if g.properties == nil {
			g.properties = map[string]*gain{}
		}
		g.properties[name], some = inner, true
	}
	var err error
	if g.items, err = gainOf(s.Items); err != nil {
		return nil, err
	}
	if s.AdditionalProperties != nil {
		if g.values, err = gainOf(s.AdditionalProperties.Structural); err != nil {
			return nil, err
		}
	}
	if !some && g.items == nil && g.values == nil {
		return nil, nil
	}
	if s.Default.Object != nil {
		text, err := json.Marshal(s.Default.Object)
		if err != nil {
			return nil, fmt.Errorf("measure default: %w", err)
		}
		g.size = sum(len(text), g.of(s.Default.Object))
	}
	return g, nil
}

func sum(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// of is how many bytes the defaults add to a value. It goes the way of the library's defaulting, no further than needed to
// know that it is too much.
func (g *gain) of(value any) int {
	if g == nil {
		return 0
	}
	all := 0
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range g.properties {
			if given, ok := value[name]; inner.fills(given, ok) {
				all = sum(all, inner.size)
			} else if ok {
				all = sum(all, inner.of(given))
			}
		}
		if g.values == nil {
			break
		}
		for name, given := range value {
			if _, ok := g.properties[name]; !ok {
				all = sum(all, g.values.ofGiven(given))
			}
			if all > mostGain {
				break
			}
		}
	case []any:
		for i := 0; i < len(value) && g.items != nil && all <= mostGain; i++ {
			all = sum(all, g.items.ofGiven(value[i]))
		}
	}
	return all
}

// fills says whether a default takes the place of a property.
func (g *gain) fills(given any, there bool) bool {
	return g.size > 0 && (!there || given == nil && !g.nullable)
}

// ofGiven is of for an item or a value that is there, if only as a null that a default replaces.
func (g *gain) ofGiven(given any) int {
	if g.fills(given, true) {
		return g.size
	}
	return g.of(given)
}

// tooMuch is the error of an object to which the defaults would add too much, or nil.
func (s *compiled) tooMuch(content map[string]any) error {
	if s.gain.of(content) <= mostGain {
		return nil
	}
	return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d for what the defaults of the schema add", mostGain))
}
