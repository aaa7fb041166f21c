package scenarios

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"backplane/simbus"
)

// Results of a scenario and of a step.
const (
	Passed  = "passed"
	Failed  = "failed"
	Skipped = "skipped" // a step after one that failed
)

// Report is what became of a scenario. Times are the appliance's, in ns since
// it was switched on.
type Report struct {
	Scenario  string       `json:"scenario"`
	File      string       `json:"file"`
	Appliance string       `json:"appliance"` // as the scenario file names it
	Seed      uint64       `json:"seed"`
	Clock     string       `json:"clock"`
	Result    string       `json:"result"`
	Start     simbus.Time  `json:"start_ns"`
	End       simbus.Time  `json:"end_ns"`
	Steps     []StepResult `json:"steps"`
	Player    []StepResult `json:"player,omitempty"` // what became of those; they decide nothing

	// Wall is how long it took on the host. The report in JSON form is the same from
	// run to run, and does not have it.
	Wall time.Duration `json:"-"`
}

// StepResult is what became of one step.
type StepResult struct {
	Step     int               `json:"step"` // from 1; 0 is the boards' coming up
	Player   bool              `json:"-"`    // it is one of the player's
	Name     string            `json:"name"`
	Where    string            `json:"where,omitempty"` // "file:line"
	Result   string            `json:"result"`
	Start    simbus.Time       `json:"start_ns"`
	End      simbus.Time       `json:"end_ns"`
	Captured map[string]string `json:"captured,omitempty"`
	Failure  *Failure          `json:"failure,omitempty"`

	Wall time.Duration `json:"-"` // as Report has it
}

// Failure is why a step failed.
type Failure struct {
	What   string   `json:"what"`             // what was expected, until when; or what could not be done
	Seen   []string `json:"seen,omitempty"`   // what was seen instead, of the same thing
	Events []string `json:"events,omitempty"` // the last ones of the appliance

	// Console has what the boards' consoles and UARTs have said in the step.
	Console []string `json:"console,omitempty"`

	said []string // the last ones of those: of the boards that the step names, if they said any
}

// Error is the failure for people, on several lines.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.What)
	list := func(heading string, lines []string) {
		if len(lines) == 0 {
			return
		}
		b.WriteString("\n" + heading)
		for _, l := range lines {
			b.WriteString("\n  " + l)
		}
	}
	list("seen instead:", f.Seen)
	list("the consoles' last lines:", f.said)
	list("the last events:", f.Events)
	return b.String()
}

func newReport(s *Scenario, now simbus.Time) *Report {
	return &Report{Scenario: s.Name, File: s.file, Appliance: s.Appliance, Seed: s.Seed, Clock: s.Clock, Result: Passed, Start: now}
}

// incomplete adds that what was recorded is not whole: with a hole in its record
// no run has passed.
func (r *Report) incomplete(err error) {
	r.Result = Failed
	r.Steps = append(r.Steps, StepResult{Step: len(r.Steps), Name: "the record is whole", Result: Failed,
		Start: r.End, End: r.End, Failure: &Failure{What: err.Error()}})
}

// Passed tells whether every step has.
func (r *Report) Passed() bool { return r.Result == Passed }

// WriteJSON writes the report as report.json has it.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
