package batch

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // machines may have none

	"github.com/robfig/cron/v3"
)

// Schedule says when something is due.
type Schedule struct{ next func(time.Time) time.Time }

// Next is the first time after another at which the schedule is due; the zero time if it never is.
func (s Schedule) Next(after time.Time) time.Time { return s.next(after) }

// ParseSchedule reads a schedule of cron, such as "*/30 * * * *" or "@daily", in a time zone of the IANA database; "" is that of the
// process.
func ParseSchedule(text, zone string) (s Schedule, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some schedules with a time zone
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	if zone != "" && !strings.Contains(text, "TZ") {
		text = "TZ=" + zone + " " + text
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{parsed.Next}, nil
}
