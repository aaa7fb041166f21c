package boards

import (
	"fmt"
	"time"
)

// firstStart and lastStart are the wall-clock times at which a board can be switched
// on in virtual time. A Linux kernel counts seconds from 1970, and takes no time that
// would not leave it thirty years until its nanoseconds, a signed number of 64 bits,
// overflow in 2262: it then begins in 1970 (TIME_SETTOD_SEC_MAX, include/linux/time64.h).
var (
	firstStart = time.Unix(0, 0).UTC()
	lastStart  = time.Date(2232, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CheckStart tells whether boards can be switched on at that wall-clock time.
func CheckStart(t time.Time) error {
	if t.Before(firstStart) || !t.Before(lastStart) {
		return fmt.Errorf("start is %s; a board's clock can begin from %s to the end of %d", t.UTC().Format(time.RFC3339), firstStart.Format(time.DateOnly), lastStart.Year()-1)
	}
	return nil
}
