package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus/hostfile"
)

// Limits of what a scenario includes and repeats.
const (
	maxDepth    = 8       // of files in files
	maxFiles    = 1000    // that are included
	maxIncluded = 8 << 20 // bytes of those
	maxSteps    = 100_000 // as they are played
	maxTitle    = 200     // bytes of what reports call a step
)

// includer reads the files that steps include, each once.
type includer struct {
	docs  []*tomlfile.Doc // in the order in which they were read
	files map[string]*Steps
	chain []string // the files that are being read, each in the one before
	size  int      // of the files, in bytes
	paths *tomlfile.Paths
}

// steps gives steps their places, and reads what they include.
func (in *includer) steps(doc *tomlfile.Doc, steps []Step) {
	for i := range steps {
		st := &steps[i]
		st.doc, st.path = doc, fmt.Sprintf("step[%d]", i)
		st.read()
		if st.Include == "" {
			continue
		}
		if included := in.file(doc, st.path+".include", st.Include); included != nil {
			st.steps = included.Step
		}
	}
}

// file reads the file that stands at a key; it says what is wrong, and returns nil, if it
// cannot be.
func (in *includer) file(at *tomlfile.Doc, key, name string) *Steps {
	file := at.Beside(name)
	wrong := func(format string, args ...any) *Steps {
		at.Add(key, format, args...)
		return nil
	}
	if err := in.paths.Add(at, key, name, file); err != nil {
		return wrong("%s: %v", file, hostfile.Cause(err))
	}
	if slices.Contains(in.chain, file) {
		return wrong("%s includes itself: %s", file, strings.Join(append(in.chain[slices.Index(in.chain, file):], file), ", "))
	}
	if s, ok := in.files[file]; ok {
		return s
	}
	if len(in.chain) > maxDepth {
		return wrong("files include each other more than %d deep", maxDepth)
	}
	if len(in.files) >= maxFiles || in.size > maxIncluded {
		return wrong("more than %d files are included, or more than %d MiB together", maxFiles, maxIncluded>>20)
	}
	switch err := hostfile.Check(file); {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("there is no file %s", file)
	case err != nil:
		return wrong("%s: %v", file, hostfile.Cause(err))
	}
	s := new(Steps)
	doc := tomlfile.ReadIn(in.paths.Folder, file, s)
	misplaced(doc, s.Rest)
	in.size += doc.Size
	in.docs = append(in.docs, doc)
	in.files[file] = s
	in.chain = append(in.chain, file)
	in.steps(doc, s.Step)
	in.chain = in.chain[:len(in.chain)-1]
	if doc.Parsed && len(s.Step) == 0 && !doc.Has("step") {
		doc.Add("", "the file has no steps: write a [[step]] for each")
	}
	return s
}

// misplaced notes keys that a file of steps cannot have.
func misplaced(doc *tomlfile.Doc, rest map[string]any) {
	scenario := tomlfile.Fields(Scenario{})
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		if slices.Contains(scenario, key) {
			doc.Add(key, "%s is for the whole scenario: it belongs in the scenario's own file, not in an included file", key)
		} else {
			doc.Add(key, "unknown key %q%s", key, periph.Suggest(key, tomlfile.Fields(Steps{})))
		}
	}
}

// count is how many steps are played, or one more than maxSteps if they are more.
func count(steps []Step) (n int) {
	for i := range steps {
		st := &steps[i]
		one := 1
		if st.Include != "" {
			one = max(1, count(st.steps))
		}
		if times := max(1, st.Repeat); times > maxSteps/one {
			return maxSteps + 1
		} else if n += one * times; n > maxSteps {
			return n
		}
	}
	return n
}

// turn is a step as it is played: one of an included file is played where that is
// included, and one that is repeated several times.
type turn struct {
	*Step
	title string
}

// where is the step's place in its file.
func (t turn) where() string {
	p := t.doc.Problem(t.path, "")
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// turns are all that is played, in order.
func (s *Scenario) turns() []turn { return turns(nil, s.Step, "", nil) }

func turns(list []turn, steps []Step, prefix string, nth []string) []turn {
	for i := range steps {
		st := &steps[i]
		times := max(1, st.Repeat)
		title := short(st.title())
		for k := range times {
			nth := nth[:len(nth):len(nth)]
			if times > 1 {
				nth = append(nth, fmt.Sprintf("%d of %d", k+1, times))
			}
			if st.Include == "" {
				title := prefix + title
				if len(nth) > 0 {
					title += " (" + strings.Join(nth, ", ") + ")"
				}
				list = append(list, turn{st, title})
				continue
			}
			inner := prefix
			if st.Name != "" {
				inner += st.Name + ": "
			}
			list = turns(list, st.steps, inner, nth)
		}
	}
	return list
}

// short leaves out the end of a long title.
func short(title string) string {
	if len(title) <= maxTitle {
		return title
	}
	return strings.ToValidUTF8(title[:maxTitle], "") + " ..."
}

// Len is how many steps are played, with those that are included and repeated.
func (s *Scenario) Len() int { return count(s.Step) }

// each calls f for every step, with those of included files where they are included.
func each(steps []Step, f func(*Step)) {
	for i := range steps {
		f(&steps[i])
		each(steps[i].steps, f)
	}
}
