package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// symbols are the names that one history has for what one server chose: uids, revisions, addresses, ports, generated names,
// the namespace. The same questions give the same symbols on every server that answers alike.
//
// A symbol is written in braces: {uid Pod/a}, {rv Pod/a#2} (the second revision that was seen), {ip 1}, {port 1}, {name a- 1}.
type symbols struct {
	namespace string
	toSymbol  map[string]string // kind + value, "uid 1234-...": its symbol
	toValue   map[string]string // symbol: value
	counts    map[string]int    // how many symbols there are of a sort
	prefixes  []*regexp.Regexp  // names that the server made of a client's prefix
}

func newSymbols(namespace string) *symbols {
	s := &symbols{namespace: namespace, toSymbol: map[string]string{}, toValue: map[string]string{}, counts: map[string]int{}}
	s.prefix("kube-api-access-")
	return s
}

// clone is for questions of which none is to learn from another.
func (s *symbols) clone() *symbols {
	return &symbols{namespace: s.namespace, toSymbol: maps.Clone(s.toSymbol), toValue: maps.Clone(s.toValue), counts: maps.Clone(s.counts), prefixes: slices.Clone(s.prefixes)}
}

// learn names a value, or finds its name. sort is "uid", "rv", ...; hint tells values of a sort apart.
func (s *symbols) learn(sort, hint, value string) string {
	symbol, known := s.toSymbol[sort+" "+value]
	if !known {
		symbol = s.add(sort, hint, value)
		s.toSymbol[sort+" "+value] = symbol
	}
	return symbol
}

// add makes a symbol for a value that others may have too, such as the revision at which a list was read.
func (s *symbols) add(sort, hint, value string) string {
	s.counts[sort+hint]++
	symbol := "{" + sort + " " + hint
	if n := s.counts[sort+hint]; n > 1 {
		symbol += "#" + strconv.Itoa(n)
	}
	symbol += "}"
	s.toValue[symbol] = value
	return symbol
}

// follow takes over how many lists the answers of a recorded history had so far: a server that answered otherwise may have given
// one more, or none. lists has as many as there were before.
func (s *symbols) follow(recorded string, lists map[string]int) {
	for _, found := range listForm.FindAllStringSubmatch(recorded, -1) {
		n, err := strconv.Atoi(found[2])
		if err != nil {
			n = 1 // the first has no number
		}
		lists[found[1]] = n
	}
	for _, sort := range []string{"rv", "continue"} {
		s.counts[sort+"list"] = lists[sort]
	}
}

var (
	listForm       = regexp.MustCompile(`\{(rv|continue) list(?:#([0-9]+))?\}`)
	symbolForm     = regexp.MustCompile(`\{(?:ns|net|time|name|port|ip|rv|uid|(?:uid|rv|ip|name|continue) (?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}`)
	portForm       = regexp.MustCompile(`["']?(\{port [^{}]*\})["']?`)
	uidForm        = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	timeForm       = regexp.MustCompile(`\b20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:]{8}(\.[0-9]+)?Z`)
	longTime       = regexp.MustCompile(`\b20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-9:]{8}(\.[0-9]+)? [-+0-9A-Za-z ]{5,9}( m=[-+0-9.]+)?`)
	tokenForm      = regexp.MustCompile(`\beyJ[-_A-Za-z0-9]{10,}\.[-_A-Za-z0-9]+\.[-_A-Za-z0-9]+`)
	credential     = regexp.MustCompile(`X509SHA256=[0-9a-f]{64}`)
	addrForm       = regexp.MustCompile(`\b10\.96\.[0-9]{1,3}\.[0-9]{1,3}\b`)
	managers       = regexp.MustCompile(`\\"managedFields\\":\[.*?\],\\"name\\":`) // in an object that an error quotes: their order depends on when they came
	celType        = regexp.MustCompile(`selfType[0-9]+`)                          // drawn for each expression that is compiled
	quotedPort     = regexp.MustCompile(`((?:nodePort|healthCheckNodePort)\\?":)3[0-3][0-9]{3}`)
	cellPort       = regexp.MustCompile(`:3[0-3][0-9]{3}/`) // of a Service's row
	newestForm     = regexp.MustCompile(`current: [0-9]+`)
	quotedRevision = regexp.MustCompile(`(?i)(resourceVersion\\?":\\?"|ResourceVersion in (?:precondition|object meta): |ResourceVersion in the precondition \(|ResourceVersion in record \()[0-9]+`)
)

// someTime is sent where a history holds a time that a server chose.
const someTime = "2026-01-02T03:04:05Z"

// fill puts this server's values for the symbols of a request.
func (s *symbols) fill(text string) string {
	text = portForm.ReplaceAllStringFunc(text, func(found string) string {
		if value, known := s.toValue[strings.Trim(found, `"'`)]; known {
			return value
		}
		return found
	})
	return symbolForm.ReplaceAllStringFunc(text, func(symbol string) string {
		switch symbol {
		case "{ns}":
			return s.namespace
		case "{net}":
			return s.network()
		case "{time}":
			return someTime
		}
		if value, known := s.toValue[symbol]; known {
			return value
		}
		if strings.HasPrefix(symbol, "{uid") {
			return "00000000-0000-0000-0000-000000000000"
		}
		return "1"
	})
}

// text puts symbols for what this server chose in a piece of text.
func (s *symbols) text(in string) string {
	in = uidForm.ReplaceAllStringFunc(in, func(uid string) string {
		if symbol, known := s.toSymbol["uid "+uid]; known {
			return symbol
		}
		return "{uid}"
	})
	in = timeForm.ReplaceAllStringFunc(in, recent(time.RFC3339Nano))
	in = credential.ReplaceAllString(in, "{credential}")
	in = longTime.ReplaceAllString(in, "{long time}")
	in = tokenForm.ReplaceAllString(in, "{token}")
	in = addrForm.ReplaceAllStringFunc(in, func(addr string) string {
		if symbol, known := s.toSymbol["ip "+addr]; known {
			return symbol
		}
		return "{ip}" // of an allocation that failed
	})
	for _, prefix := range s.prefixes { // before the namespace, which prefixes may hold
		in = prefix.ReplaceAllStringFunc(in, func(name string) string {
			if symbol, known := s.toSymbol["name "+name]; known {
				return symbol
			}
			return "{name}"
		})
	}
	return strings.ReplaceAll(strings.ReplaceAll(in, s.network()+"::", "{net}::"), s.namespace, "{ns}")
}

// network is where the addresses of the history begin: as its namespace, it is its own.
func (s *symbols) network() string {
	n, err := strconv.Atoi(strings.TrimLeft(s.namespace, "q0"))
	if err != nil {
		return "fd00:0"
	}
	return fmt.Sprintf("fd00:%x:%x", n>>16+1, n&0xffff+1)
}

// recent replaces times of about now: others were given by the client.
func recent(layout string) func(string) string {
	return func(in string) string {
		t, err := time.Parse(layout, in)
		if err != nil || time.Since(t).Abs() > 36*time.Hour {
			return in
		}
		return "{time}"
	}
}

// message puts symbols in the words of an error or warning, where revisions stand in the open.
func (s *symbols) message(in string) string {
	in = managers.ReplaceAllString(in, `\"name\":`)
	in = newestForm.ReplaceAllString(in, "current: {newest}")
	in = quotedPort.ReplaceAllString(in, "${1}{port}")
	in = celType.ReplaceAllString(in, "selfType")
	return quotedRevision.ReplaceAllString(s.text(in), "$1{rv}")
}

// services holds the addresses that servers allocate for Services.
var services = netip.MustParsePrefix("10.96.0.0/16")

func (s *symbols) address(in string) string {
	if addr, err := netip.ParseAddr(in); err != nil || !services.Contains(addr) {
		return in
	}
	return s.learn("ip", "cluster", in)
}

func (s *symbols) port(n float64) string {
	return s.learn("port", "node", strconv.Itoa(int(n)))
}

// longestPrefix is what is left of a prefix where the name would be longer than a label.
const longestPrefix = 58

// prefix says that names may be made of a prefix.
func (s *symbols) prefix(prefix string) {
	begin := ""
	if len(prefix) > longestPrefix {
		prefix, begin = prefix[:longestPrefix], `\b` // or the prefix itself, which is longer, would look like a name
	}
	form := regexp.MustCompile(begin + regexp.QuoteMeta(prefix) + `[b-df-hj-np-tv-xz2-9]{5}\b`)
	if !slices.ContainsFunc(s.prefixes, func(known *regexp.Regexp) bool { return known.String() == form.String() }) {
		s.prefixes = append(s.prefixes, form)
	}
}
