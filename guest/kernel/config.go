package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	kernelconfig "backplane/firmware/kernel"
)

// fragment is a named part of what makes a kernel: a piece of configuration, or
// a patch.
type fragment struct {
	name string // in the hash of what makes a kernel
	file string // in messages
	text []byte
	own  bool // Backplane's
}

// files are the configuration and the patches; tests have patches that apply to
// their own tree.
var files fs.FS = kernelconfig.Files

// boards is the name of a fragment that is not Backplane's own.
const boards = "the board's kernel_config"

// fragments are those of a kernel, of a source with such facts.
func (b *Builder) fragments(f Facts) ([]fragment, error) {
	flavour := b.Flavour
	if flavour == SMP && !f.SMP {
		flavour = Virtual
	}
	var list []fragment
	for _, name := range []string{"common.config", "parts.config", string(flavour) + ".config"} {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("unknown flavour %q: there are %s and %s", b.Flavour, Virtual, SMP)
		}
		list = append(list, fragment{name: name, file: "firmware/kernel/" + name, text: text, own: true})
	}
	own := list
	for _, means := range b.Debug {
		name := DebugFile(means)
		text, err := fs.ReadFile(files, strings.TrimPrefix(name, "firmware/kernel/"))
		if err != nil {
			return nil, fmt.Errorf("unknown kernel debug option %q: there are %s", means, strings.Join(DebugMeans(), ", "))
		}
		list = append(list, fragment{name: name, file: name, text: text})
	}
	for _, c := range b.Config {
		if f.Series() != Series || !redundant(own, c.Text) {
			list = append(list, fragment{name: boards, file: c.File, text: c.Text})
		}
	}
	return list, nil
}

// redundant tells whether a board's configuration asks for nothing that Backplane's own
// does not: then it makes no other kernel. A source of another series may lack what is asked.
func redundant(own []fragment, text []byte) bool {
	has := make(map[string]string)
	for _, f := range own {
		maps.Copy(has, settings(string(f.text)))
	}
	for _, line := range strings.Split(string(text), "\n") {
		s, err := parseSetting(line)
		if err != nil || s.name != "" && has[s.name] != s.value {
			return false
		}
	}
	return true
}

// DebugMeans are the means of debugging that a kernel can have, in alphabetical order.
func DebugMeans() (list []string) {
	names, err := fs.Glob(files, "debug/*.config")
	if err != nil {
		return nil // the pattern is good
	}
	for _, name := range names {
		list = append(list, strings.TrimSuffix(filepath.Base(name), ".config"))
	}
	return list
}

// DebugFile is what messages call the configuration of a means of debugging.
func DebugFile(means string) string { return "firmware/kernel/debug/" + means + ".config" }

// patches are those of a kernel, in the order in which they are applied.
func (b *Builder) patches(f Facts) ([]fragment, error) {
	list, err := patches(f.Series())
	for _, p := range b.Patches {
		list = append(list, fragment{name: "board's " + filepath.Base(p.File), file: p.File, text: p.Text})
	}
	return list, err
}

// patches are Backplane's own for a series; there are none for most.
func patches(series string) ([]fragment, error) {
	names, err := patchFiles("patches/" + series)
	if err != nil {
		return nil, err
	}
	var list []fragment
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		list = append(list, fragment{name: filepath.Base(name), file: "firmware/kernel/" + name, text: text, own: true})
	}
	return list, nil
}

// patchFiles are the files with a series' patches in their order: those that its file
// "series" lists, as quilt(1) has it, some of which may be another series', or all.
func patchFiles(dir string) (names []string, err error) {
	text, err := fs.ReadFile(files, dir+"/series")
	if errors.Is(err, fs.ErrNotExist) {
		names, err = fs.Glob(files, dir+"/*.patch")
		sort.Strings(names)
		return names, err
	}
	for _, line := range strings.Fields(string(text)) {
		names = append(names, path.Join(dir, line))
	}
	return names, err
}

// Problem is a mistake in a line of a configuration fragment.
type Problem struct {
	File string
	Line int // from 1
	Text string
}

// Problems is all that is wrong, as an error: a line for each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = fmt.Sprintf("%s:%d:1: %s", one.File, one.Line, one.Text)
	}
	return strings.Join(lines, "\n")
}

// setting is what a fragment wants an option to be.
type setting struct {
	name, value string // the name without CONFIG_; "n" for an option that is not set
	file        string
	line        int
	own         bool // Backplane's
}

// config is the configuration that fragments ask for: the last one counts.
type config struct {
	order []string
	want  map[string]setting
}

// config reads the fragments. Lines that are none of a configuration are
// [Problems].
func (b *Builder) config(facts Facts) (*config, error) {
	list, err := b.fragments(facts)
	if err != nil {
		return nil, err
	}
	c := &config{want: make(map[string]setting)}
	var problems Problems
	for _, f := range list {
		for i, line := range strings.Split(string(f.text), "\n") {
			s, err := parseSetting(line)
			if err != nil {
				problems = append(problems, Problem{f.file, i + 1, err.Error()})
			}
			if s.name == "" {
				continue
			}
			s.file, s.line, s.own = f.file, i+1, f.own
			if _, ok := c.want[s.name]; !ok {
				c.order = append(c.order, s.name)
			}
			c.want[s.name] = s
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

var (
	isSetting = regexp.MustCompile(`^CONFIG_(\w+)=(\S.*)$`)
	isNotSet  = regexp.MustCompile(`^# CONFIG_(\w+) is not set$`)
)

// parseSetting reads a line; one that says nothing gives a setting without a name.
func parseSetting(line string) (setting, error) {
	line = strings.TrimSpace(line)
	if m := isSetting.FindStringSubmatch(line); m != nil {
		return setting{name: m[1], value: m[2]}, nil
	}
	if m := isNotSet.FindStringSubmatch(line); m != nil {
		return setting{name: m[1], value: "n"}, nil
	}
	if line == "" || strings.HasPrefix(line, "#") {
		return setting{}, nil
	}
	return setting{}, fmt.Errorf("%q is not a line of a kernel configuration: write CONFIG_NAME=y, or another value", line)
}

// CheckLines finds lines of a fragment that are none of a configuration.
func CheckLines(fragment Fragment) (problems Problems) {
	for i, line := range strings.Split(string(fragment.Text), "\n") {
		if _, err := parseSetting(line); err != nil {
			problems = append(problems, Problem{fragment.File, i + 1, err.Error()})
		}
	}
	return problems
}

// isPlain is a value that is no text.
var isPlain = regexp.MustCompile(`^(?:[ynm]|-?[0-9]+|0[xX][0-9a-fA-F]+)$`)

// CheckTexts finds settings in a fragment whose value is a text. While a kernel is built,
// texts name files that go into it (CONFIG_INITRAMFS_SOURCE, CONFIG_EXTRA_FIRMWARE), and
// make(1) executes what stands in them as "$(shell ...)": include/config/auto.conf is one
// of its makefiles.
func CheckTexts(fragment Fragment) (problems Problems) {
	for i, line := range strings.Split(string(fragment.Text), "\n") {
		if s, err := parseSetting(line); err == nil && s.name != "" && !isPlain.MatchString(s.value) {
			problems = append(problems, Problem{fragment.File, i + 1, fmt.Sprintf("CONFIG_%s has a string value, which can reach the host's files and programs "+
				"while the kernel is built: --restrict allows only y, m, n and numbers", s.name)})
		}
	}
	return problems
}

// String is the configuration as one fragment.
func (c *config) String() string {
	var s strings.Builder
	for _, name := range c.order {
		if w, ok := c.want[name]; ok {
			fmt.Fprintf(&s, "CONFIG_%s=%s\n", name, w.value)
		}
	}
	return s.String()
}

func (s setting) problem(format string, args ...any) Problem {
	return Problem{s.file, s.line, fmt.Sprintf("CONFIG_%s", s.name) + fmt.Sprintf(format, args...)}
}

// unknown lists settings of options that the tree does not have.
func (c *config) unknown(known options, nearest func(string, []string) string) (problems Problems) {
	for _, name := range c.order {
		want, wanted := c.want[name]
		if _, ok := known[name]; wanted && !ok {
			problems = append(problems, want.problem(" is not an option of this kernel%s", known.nearest(name, nearest)))
		}
	}
	return problems
}

// displace drops what Backplane chose where the board chooses something else:
// of the options of a Kconfig "choice" a kernel has one.
func (c *config) displace(known options) {
	chosen := make(map[int]bool)
	for name, s := range c.want {
		if !s.own && s.value != "n" {
			chosen[known[name].choice] = true
		}
	}
	for name, s := range c.want {
		if choice := known[name].choice; s.own && choice != 0 && chosen[choice] {
			delete(c.want, name)
		}
	}
}

// unmet lists what the kernel's final configuration does not have as it was
// asked for, and what that hangs on: first of the board's settings, which may be
// why others are unmet. What Backplane does not want and gets all the same, since
// something else selects it, is no problem.
func (c *config) unmet(final string, known options) (problems Problems) {
	has := settings(final)
	var own Problems
	for _, name := range c.order {
		s, ok := c.want[name]
		got := has[name]
		if got == "" {
			got = "n"
		}
		switch {
		case !ok || got == s.value || s.value == "m" && got == "y" || s.own && s.value == "n":
		case s.value == "n":
			problems = append(problems, s.problem("=n is not possible: another option of the configuration needs it"))
		case s.own:
			own = append(own, s.problem("=%s is set by Backplane, and conflicts with the rest of the configuration%s: "+
				"CONFIG_%s=n in kernel_config turns it off", s.value, known[name].needs(), name))
		default:
			problems = append(problems, s.problem("=%s is not possible%s", s.value, known[name].needs()))
		}
	}
	problems = append(problems, own...)
	if n := len(problems) - mostUnmet; n > 0 {
		problems = problems[:mostUnmet]
		problems[mostUnmet-1].Text += fmt.Sprintf("\n(and %d more)", n)
	}
	return problems
}

// settings are those of a whole configuration.
func settings(text string) map[string]string {
	has := make(map[string]string)
	for _, line := range strings.Split(text, "\n") {
		if s, err := parseSetting(line); err == nil && s.name != "" {
			has[s.name] = s.value
		}
	}
	return has
}

// mostUnmet is how many options that cannot be had are named: one that others
// need can take a hundred with it.
const mostUnmet = 10
