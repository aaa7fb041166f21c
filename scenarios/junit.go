package scenarios

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

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
		Output    string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as junit.xml has it: a test suite, with a test
// case for each step. Its times are the appliance's; the host's stand in the suite's
// properties: wall_time, and wall_time.N for step N, in seconds. A step that failed
// has what the consoles said in its system-out.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{Name: r.Scenario, Tests: len(r.Steps), Time: seconds(r.End.Sub(r.Start)), Properties: []junitProperty{
		{"appliance", r.Appliance}, {"clock", r.Clock}, {"seed", fmt.Sprint(r.Seed)},
		{"wall_time", seconds(r.Wall)}}}
	for _, s := range r.Steps {
		c := junitCase{Classname: r.Scenario, Name: fmt.Sprintf("%d %s", s.Step, s.Name), Time: seconds(s.End.Sub(s.Start))}
		if s.Result != Skipped {
			suite.Properties = append(suite.Properties, junitProperty{fmt.Sprintf("wall_time.%d", s.Step), seconds(s.Wall)})
		}
		switch s.Result {
		case Failed:
			c.Output = strings.Join(s.Failure.Console, "\n")
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
