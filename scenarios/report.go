package scenarios

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
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

	// Wall is how long it took on the host, which no report has: they are the
	// same from run to run.
	Wall time.Duration `json:"-"`
}

// StepResult is what became of one step.
type StepResult struct {
	Step     int               `json:"step"` // from 1; 0 is the boards' coming up
	Name     string            `json:"name"`
	Result   string            `json:"result"`
	Start    simbus.Time       `json:"start_ns"`
	End      simbus.Time       `json:"end_ns"`
	Captured map[string]string `json:"captured,omitempty"`
	Failure  *Failure          `json:"failure,omitempty"`
}

// Failure is why a step failed.
type Failure struct {
	What   string   `json:"what"`             // what was expected, until when; or what could not be done
	Seen   []string `json:"seen,omitempty"`   // what was seen instead, of the same thing
	Events []string `json:"events,omitempty"` // the last ones of the appliance
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

// The elements of a JUnit report that continuous-integration systems agree on:
// the schema of Jenkins' xunit plugin, junit-10.xsd.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   junitSuite
	}
	junitSuite struct {
		XMLName    xml.Name        `xml:"testsuite"`
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"` // s
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		XMLName   xml.Name      `xml:"testcase"`
		Classname string        `xml:"classname,attr"`
		Name      string        `xml:"name,attr"`
		Time      string        `xml:"time,attr"` // s
		Skipped   *struct{}     `xml:"skipped"`
		Failure   *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as junit.xml has it: a test suite, with a test
// case for each step. Its times are the appliance's.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{Name: r.Scenario, Tests: len(r.Steps), Time: seconds(r.End.Sub(r.Start)), Properties: []junitProperty{
		{"appliance", r.Appliance}, {"clock", r.Clock}, {"seed", fmt.Sprint(r.Seed)}}}
	for _, s := range r.Steps {
		c := junitCase{Classname: r.Scenario, Name: fmt.Sprintf("%d %s", s.Step, s.Name), Time: seconds(s.End.Sub(s.Start))}
		switch s.Result {
		case Failed:
			suite.Failures++
			first, _, _ := strings.Cut(s.Failure.What, "\n")
			c.Failure = &junitFailure{Message: first, Type: Failed, Text: s.Failure.Error()}
		case Skipped:
			suite.Skipped++
			c.Skipped = new(struct{})
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.9f", d.Seconds()) }
