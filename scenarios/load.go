package scenarios

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/simbus/hostfile"
)

// Load reads and checks a scenario file and those that it includes; what the
// appliance has is not looked at, which [Scenario.Check] does. The error is
// [tomlfile.Problems], with all that is wrong.
func Load(file string) (*Scenario, error) { return LoadIn(nil, file) }

// LoadIn is Load for a scenario that names only files in a folder.
func LoadIn(folder *hostfile.Folder, file string) (*Scenario, error) {
	s := &Scenario{paths: tomlfile.Paths{Folder: folder}}
	doc := tomlfile.ReadIn(folder, file, s)
	s.complete(doc)
	if doc.Parsed && s.Appliance != "" {
		err := s.paths.Add(doc, "appliance", s.Appliance, s.AppliancePath())
		if err == nil {
			err = hostfile.Check(s.AppliancePath())
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			doc.Add("appliance", "there is no appliance or board file %s", s.AppliancePath())
		case err != nil:
			doc.Add("appliance", "%s: %v", s.AppliancePath(), hostfile.Cause(err))
		}
	}
	return s.result()
}

// Parse is Load for a file that is in memory. It does not look whether there is
// the appliance's file.
func Parse(file string, data []byte) (*Scenario, error) {
	s := new(Scenario)
	s.complete(tomlfile.Parse(file, data, s))
	return s.result()
}

func (s *Scenario) result() (*Scenario, error) {
	var all tomlfile.Problems
	for _, doc := range s.docs {
		all = append(all, sorted(doc.Problems)...)
	}
	if len(all) > 0 {
		return nil, all
	}
	return s, nil
}

// sorted are problems in order, each once: of a file that is included twice the
// same may have been found twice.
func sorted(p tomlfile.Problems) tomlfile.Problems {
	p.Sort()
	return slices.Compact(p)
}

// complete checks the scenario and fills in what the file leaves out.
func (s *Scenario) complete(doc *tomlfile.Doc) {
	s.file, s.docs = doc.File, []*tomlfile.Doc{doc}
	if !doc.Parsed {
		return
	}
	in := includer{docs: s.docs, files: make(map[string]*Steps), chain: []string{filepath.Clean(doc.File)}, paths: &s.paths}
	in.steps(doc, s.Step)
	if s.Player != "" {
		if p := in.file(doc, "player", s.Player); p != nil {
			s.player = p.Step
		}
	}
	s.docs = in.docs
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
	if s.Len() <= maxSteps && count(s.player) <= maxSteps {
		each(s.Step, (*Step).complete)
		each(s.player, (*Step).complete)
	}
}

func (st *Step) complete() {
	if st.Exec != nil && st.Exec.Timeout == 0 {
		st.Exec.Timeout = boards.Duration(DefaultTimeout)
	}
	if e := st.Expect; e != nil {
		if e.Within == 0 {
			e.Within = boards.Duration(DefaultWithin)
		}
		for _, w := range e.wants() {
			if w.Count == 0 {
				w.Count = 1
			}
		}
	}
}

// wants are the single things that are expected.
func (e *Expect) wants() (list []*Want) {
	if len(e.All) == 0 && len(e.Any) == 0 {
		return []*Want{&e.Want}
	}
	for _, several := range [][]Want{e.All, e.Any} {
		for i := range several {
			list = append(list, &several[i])
		}
	}
	return list
}

// about tells whether an event of that kind is expected.
func (e *Expect) about(kind string) bool {
	return slices.ContainsFunc(e.wants(), func(w *Want) bool { return w.Event == kind && !w.Never })
}
