package patch

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mostMergeWork bounds how deep a merge patch nests times how long it is: the library reads what is inside of each level anew,
// so that a patch of 50 KiB and 9,000 levels took half a minute.
const mostMergeWork = 64 << 20

// checkDepth refuses a merge patch that would take the library long.
func checkDepth(body []byte) error {
	if len(body)*len(body)/2 <= mostMergeWork { // it has not the room to nest so deep
		return nil
	}
	if levels := depth(body); levels*len(body) > mostMergeWork {
		return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("the patch nests %d levels in %d bytes", levels, len(body)))
	}
	return nil
}

// depth counts how deep objects and lists lie in each other in JSON.
func depth(body []byte) int {
	most, now, text := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
