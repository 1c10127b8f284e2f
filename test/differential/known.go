package main

import "regexp"

// known is a difference that stays, with the reason. Empty patterns match everything; all that are given must match.
type known struct {
	request  string // "METHOD resource/subresource"
	where    string // as difference.where
	upstream string
	ours     string
	reason   string // for docs/compatibility.md: one whole sentence, or two
}

// knownDifferences lists every difference that is not a fault to be mended, and those that are not mended yet.
var knownDifferences = []known{}

// classify finds the reason for a difference; nil: nobody knows it.
func classify(d difference) *known {
	for i := range knownDifferences {
		k := &knownDifferences[i]
		if matches(k.request, d.request.method+" "+kindOf(d.request.path)) && matches(k.where, d.where) && matches(k.upstream, d.upstream) && matches(k.ours, d.ours) {
			return k
		}
	}
	return nil
}

func matches(pattern, text string) bool {
	return pattern == "" || regexp.MustCompile(pattern).MatchString(text)
}
