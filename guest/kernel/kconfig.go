package kernel

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// option is one of a tree's, as its Kconfig files describe it
// (Linux Documentation/kbuild/kconfig-language.rst).
type option struct {
	depends []string // each of its "depends on" lines
	choice  int      // the "choice" that it is in, from 1; 0 for none
}

// options are a tree's by their names, which are without CONFIG_. Those that
// only other architectures have are among them.
type options map[string]option

// nearest is the part of a message that says what was probably meant, as find finds
// it: see [Builder.Nearest].
func (known options) nearest(name string, find func(string, []string) string) string {
	if find == nil {
		return ""
	}
	if near := find(name, slices.Collect(maps.Keys(known))); near != "" {
		return fmt.Sprintf(": did you mean %q?", "CONFIG_"+near)
	}
	return ""
}

// needs is the part of a message that says what an option depends on.
func (o option) needs() string {
	if len(o.depends) == 0 {
		return ""
	}
	return " (it depends on " + strings.Join(o.depends, ", and on ") + ")"
}

var (
	configLine  = regexp.MustCompile(`^\s*(?:menu)?config\s+(\w+)\s*$`)
	dependsLine = regexp.MustCompile(`^\s+depends on\s+(.*)$`)
	blockLine   = regexp.MustCompile(`^\s*(choice|endchoice|menu|endmenu|if|endif|source|comment)\b`)
)

// readKconfig reads what options a tree has.
func readKconfig(tree string) (options, error) {
	known := make(options)
	choices := 0
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "Kconfig") {
			return err
		}
		return known.read(path, &choices)
	})
	return known, err
}

// read adds those of a file.
func (known options) read(path string, choices *int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	choice, name := 0, ""
	s := bufio.NewScanner(f)
	for s.Scan() {
		line := s.Text()
		if m := configLine.FindStringSubmatch(line); m != nil {
			name = m[1]
			o := known[name]
			if choice != 0 {
				o.choice = choice
			}
			known[name] = o
		} else if m := dependsLine.FindStringSubmatch(line); m != nil && name != "" {
			o := known[name]
			o.depends = append(o.depends, m[1])
			known[name] = o
		} else if m := blockLine.FindStringSubmatch(line); m != nil {
			name = ""
			switch m[1] {
			case "choice":
				*choices++
				choice = *choices
			case "endchoice":
				choice = 0
			}
		}
	}
	return s.Err()
}
