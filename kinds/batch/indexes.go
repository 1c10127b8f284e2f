package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// Interval is a run of indexes, both ends included.
type Interval struct{ First, Last int }

// ParseIndexes reads a set of indexes below completions, as in "1,3-5,7", in increasing order.
func ParseIndexes(text string, completions int) ([]Interval, error) {
	if text == "" {
		return nil, nil
	}
	var all []Interval
	for _, part := range strings.Split(text, ",") {
		i, err := parseInterval(part, completions)
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].Last >= i.First {
			return nil, fmt.Errorf("non-increasing order, previous: %d, current: %d", all[n-1].Last, i.First)
		}
		all = append(all, i)
	}
	return all, nil
}

func parseInterval(text string, completions int) (i Interval, err error) {
	ends := strings.Split(text, "-")
	if len(ends) > 2 {
		return i, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", text)
	}
	if i.First, err = parseIndex(ends[0], completions); err != nil || len(ends) == 1 {
		i.Last = i.First
		return i, err
	}
	if i.Last, err = parseIndex(ends[1], completions); err == nil && i.First >= i.Last {
		err = fmt.Errorf("non-increasing order, previous: %d, current: %d", i.First, i.Last)
	}
	return i, err
}

func parseIndex(text string, completions int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("cannot convert string to integer for index: %q", text)
	}
	if n >= completions {
		return 0, fmt.Errorf("too large index: %q", text)
	}
	return n, nil
}

// FormatIndexes is the inverse of ParseIndexes. Two neighbours are written one by one, as upstream writes them.
func FormatIndexes(all []Interval) string {
	parts := make([]string, 0, len(all))
	for _, i := range all {
		switch i.Last - i.First {
		case 0:
			parts = append(parts, strconv.Itoa(i.First))
		case 1:
			parts = append(parts, strconv.Itoa(i.First), strconv.Itoa(i.Last))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", i.First, i.Last))
		}
	}
	return strings.Join(parts, ",")
}

// CountIndexes is how many indexes there are in all intervals.
func CountIndexes(all []Interval) int {
	count := 0
	for _, i := range all {
		count += i.Last - i.First + 1
	}
	return count
}

// overlap is the first index that both have, in order of the intervals.
func overlap(a, b []Interval) (index int, both bool) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if a[i].First <= b[j].Last && b[j].First <= a[i].Last {
			return max(a[i].First, b[j].First), true
		}
		if a[i].First <= b[j].First {
			i++
		} else {
			j++
		}
	}
	return 0, false
}
