package scenarios

import (
	"os"
	"path/filepath"
	"strings"

	"backplane/boards"
	"backplane/boards/tomlfile"
)

// Load reads and checks a scenario file; what the appliance has is not looked
// at. The error is [tomlfile.Problems], with all that is wrong.
func Load(file string) (*Scenario, error) {
	s := new(Scenario)
	doc := tomlfile.Read(file, s)
	s.complete(doc)
	if doc.Parsed && s.Appliance != "" {
		if _, err := os.Stat(s.AppliancePath()); err != nil {
			doc.Add("appliance", "there is no appliance or board file %s", s.AppliancePath())
		}
	}
	return s.result(doc)
}

// Parse is Load for a file that is in memory. It does not look whether there is
// the appliance's file.
func Parse(file string, data []byte) (*Scenario, error) {
	s := new(Scenario)
	doc := tomlfile.Parse(file, data, s)
	s.complete(doc)
	return s.result(doc)
}

func (s *Scenario) result(doc *tomlfile.Doc) (*Scenario, error) {
	if len(doc.Problems) == 0 {
		return s, nil
	}
	doc.Problems.Sort()
	return nil, doc.Problems
}

// complete checks the scenario and fills in what the file leaves out.
func (s *Scenario) complete(doc *tomlfile.Doc) {
	s.file = doc.File
	if !doc.Parsed {
		return
	}
	(&checker{doc: doc, captured: make(map[string]bool)}).scenario(s)
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(doc.File), ".toml")
	}
	if s.Clock == "" {
		s.Clock = Virtual
	}
	if s.GuestLoss == "" {
		s.GuestLoss = LossFails
	}
	if s.Start.IsZero() {
		s.Start = DefaultStart
	}
	for i := range s.Step {
		s.Step[i].complete()
	}
}

func (st *Step) complete() {
	if st.Press != "" && st.Hold == 0 {
		st.Hold = boards.Duration(DefaultHold)
	}
	if st.Exec != nil && st.Exec.Timeout == 0 {
		st.Exec.Timeout = boards.Duration(DefaultTimeout)
	}
	if e := st.Expect; e != nil {
		if e.Within == 0 {
			e.Within = boards.Duration(DefaultWithin)
		}
		if e.Count == 0 {
			e.Count = 1
		}
	}
	flat := make(map[string]any)
	flatten("", st.Set, flat)
	st.Set = flat
}

// flatten makes "a.b.c" = v of what TOML reads from a.b.c = v.
func flatten(prefix string, from, into map[string]any) {
	for k, v := range from {
		if table, ok := v.(map[string]any); ok {
			flatten(prefix+k+".", table, into)
		} else {
			into[prefix+k] = v
		}
	}
}
