package resource

import (
	"encoding/json"
	"time"
)

// Timed is a cell whose text depends on when it is looked at, such as an age. Rows stay pure with it: whoever renders
// them reads the clock once, for all rows, and calls Cells.
type Timed func(now time.Time) any

// MarshalJSON renders the cell as of now, so that a row that nobody resolved is still right.
func (t Timed) MarshalJSON() ([]byte, error) { return json.Marshal(t(time.Now())) }

// Cells resolves the Timed cells of a row, in place, and returns the row.
func Cells(row []any, now time.Time) []any {
	for i, cell := range row {
		if t, ok := cell.(Timed); ok {
			row[i] = t(now)
		}
	}
	return row
}
