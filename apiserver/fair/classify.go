package fair

import (
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"proa/apiserver/auth"
)

// Request is what is known of a request when its turn is decided.
type Request struct {
	User        auth.User
	Verb        string // as in auth.Attributes
	Group       string
	Resource    string
	Subresource string
	Namespace   string
	Name        string
	Path        string
	IsResource  bool
	Query       string // raw; only lists and watches are judged by it
}

// class is where the requests of one FlowSchema go. It belongs to one reading of the configuration and never changes.
type class struct {
	schema *flowcontrolv1.FlowSchema
	level  *level

	schemaUID, levelUID []string // as headers hold them
	mostSeats           int      // that a request may take; 0: whatever it is worth
	flows               *flows   // counts
	sharded             bool     // flows are told apart
}

// classOf is the class of the first schema that matches. The last one stands in when none does: users who are in neither
// of the groups that catch-all names do not exist, unless somebody impersonates one.
func classOf(classes []*class, q *Request) *class {
	for _, c := range classes {
		for i := range c.schema.Spec.Rules {
			if matches(&c.schema.Spec.Rules[i], q) {
				return c
			}
		}
	}
	return classes[len(classes)-1]
}

func matches(rule *flowcontrolv1.PolicyRulesWithSubjects, q *Request) bool {
	if !matchesSubject(rule.Subjects, &q.User) {
		return false
	}
	if !q.IsResource {
		for i := range rule.NonResourceRules {
			r := &rule.NonResourceRules[i]
			if has(r.Verbs, q.Verb) && hasPath(r.NonResourceURLs, q.Path) {
				return true
			}
		}
		return false
	}
	for i := range rule.ResourceRules {
		r := &rule.ResourceRules[i]
		if !has(r.Verbs, q.Verb) || !hasResource(r.Resources, q.Resource, q.Subresource) || !has(r.APIGroups, q.Group) {
			continue
		}
		if q.Namespace == "" && r.ClusterScope || q.Namespace != "" && has(r.Namespaces, q.Namespace) {
			return true
		}
	}
	return false
}

func matchesSubject(subjects []flowcontrolv1.Subject, u *auth.User) bool {
	for i := range subjects {
		s := &subjects[i]
		switch {
		case s.User != nil && s.Kind == flowcontrolv1.SubjectKindUser:
			if s.User.Name == flowcontrolv1.NameAll || s.User.Name == u.Name {
				return true
			}
		case s.Group != nil && s.Kind == flowcontrolv1.SubjectKindGroup:
			if s.Group.Name == "*" || slices.Contains(u.Groups, s.Group.Name) {
				return true
			}
		case s.ServiceAccount != nil && s.Kind == flowcontrolv1.SubjectKindServiceAccount:
			if isAccount(u.Name, s.ServiceAccount) {
				return true
			}
		}
	}
	return false
}

func isAccount(user string, s *flowcontrolv1.ServiceAccountSubject) bool {
	rest, ok := strings.CutPrefix(user, auth.AccountUserPrefix)
	if !ok {
		return false
	}
	namespace, name, ok := strings.Cut(rest, ":")
	return ok && namespace == s.Namespace && (s.Name == flowcontrolv1.NameAll || s.Name == name)
}

// has says whether a list names a value, or is the wildcard.
func has(list []string, value string) bool {
	return len(list) == 1 && list[0] == "*" || slices.Contains(list, value)
}

// hasResource is has for "resource" or "resource/subresource".
func hasResource(list []string, resource, sub string) bool {
	if len(list) == 1 && list[0] == "*" {
		return true
	}
	for _, entry := range list {
		rest, ok := strings.CutPrefix(entry, resource)
		if ok && (rest == "" && sub == "" || sub != "" && len(rest) > 1 && rest[0] == '/' && rest[1:] == sub) {
			return true
		}
	}
	return false
}

// hasPath follows upstream: a path also stands for all below it.
func hasPath(list []string, path string) bool {
	for _, entry := range list {
		if entry == "*" || entry == path {
			return true
		}
		below := strings.TrimSuffix(strings.TrimSuffix(entry, "*"), "/")
		if strings.HasPrefix(path, below) && strings.HasPrefix(path[len(below):], "/") {
			return true
		}
	}
	return false
}

// distinguisher tells the flows of one schema apart: the user, the namespace, or nothing.
func distinguisher(s *flowcontrolv1.FlowSchema, q *Request) string {
	switch m := s.Spec.DistinguisherMethod; {
	case m == nil:
		return ""
	case m.Type == flowcontrolv1.FlowDistinguisherMethodByUserType:
		return q.User.Name
	default:
		return q.Namespace
	}
}

// flowHash is FNV-1a over the schema and the flow, with a byte between them that neither holds.
func flowHash(schema, flow string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(schema) {
		h = (h ^ uint64(schema[i])) * prime
	}
	h = h * prime
	for i := range len(flow) {
		h = (h ^ uint64(flow[i])) * prime
	}
	return mixed(h)
}

// mixed spreads what differs in the last bytes over all bits: the first card is dealt by the lowest of them.
func mixed(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
