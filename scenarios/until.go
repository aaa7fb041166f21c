package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"backplane/simbus"
)

// Until says where a run stops playing, for somebody to go on by hand. Its zero value is
// nowhere before the end.
type Until struct {
	step    int         // after that one, counted from 1
	time    simbus.Time // at that of the appliance's
	failure bool        // after a step that fails
}

// ParseUntil reads "7", a step; "1.5s", a time; "failure"; or "end".
func (s *Scenario) ParseUntil(text string) (u Until, err error) {
	switch text {
	case "failure":
		return Until{failure: true}, nil
	case "end":
		return Until{step: s.Len()}, nil
	}
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > s.Len() {
			return u, fmt.Errorf("step %d; the scenario has %d (0: when the boards are up)", n, s.Len())
		}
		if n == 0 {
			return Until{step: boot}, nil
		}
		return Until{step: n}, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		return u, fmt.Errorf("%q is no time to run for; 0, without a unit, is when the boards are up", text)
	}
	if err != nil {
		return u, fmt.Errorf("%q is no step's number, no time such as \"1.5s\", and neither \"failure\" nor \"end\"", text)
	}
	return Until{time: simbus.Time(d)}, nil
}

// boot is the step before the first.
const boot = -1

// Time is that of the appliance's at which the run stops, 0 if it is not said.
func (u Until) Time() simbus.Time { return u.time }

// after tells whether the run stops after that step.
func (u Until) after(step int, result string) bool {
	return step > 0 && step == u.step || step == 0 && u.step == boot || u.failure && result == Failed
}

// errUntil ends the step in which a run comes to its [Until].
var errUntil = errors.New("this is where the run was to stop")
