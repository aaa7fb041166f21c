package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	span  = regexp.MustCompile("`([^`]+)`")
	link  = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	named = regexp.MustCompile(`^(boards|cmd|docs|firmware|guest|periph|scenarios|simbus|tests|tools)/[A-Za-z0-9_./-]+$`)
	flag  = regexp.MustCompile(`^--[a-z-]+`)
	key   = regexp.MustCompile(`^([a-z_]+) = `)
)

// keys are all that boards', appliances' and scenarios' files may hold.
func keys(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok {
				for name := range properties {
					all[name] = true
				}
			}
			for _, inner := range v {
				look(inner)
			}
		case []any:
			for _, inner := range v {
				look(inner)
			}
		}
	}
	for _, kind := range []string{"board", "appliance", "scenario"} {
		text, err := os.ReadFile("../boards/schema/" + kind + ".json")
		var schema any
		if err == nil {
			err = json.Unmarshal(text, &schema)
		}
		if err != nil {
			t.Fatal(err)
		}
		look(schema)
	}
	return all
}

// TestDocumentedNames looks at what documents name in passing: files, other
// documents, keys of boards, appliances and scenarios, and the program's commands
// with their flags.
func TestDocumentedNames(t *testing.T) {
	help, known := make(map[string]string), keys(t)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, prose, err := parseBlocks(file, string(text))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: leads to %v", file, err)
			}
		}
		for _, m := range span.FindAllStringSubmatch(prose, -1) {
			if named.MatchString(m[1]) {
				if found, err := filepath.Glob("../" + m[1] + "*"); err != nil || len(found) == 0 {
					t.Errorf("%s: names %s, which is not there", file, m[1])
				}
			}
			if k := key.FindStringSubmatch(m[1]); k != nil && !known[k[1]] {
				t.Errorf("%s: %s: no file has such a key", file, m[1])
			}
			if words := strings.Fields(m[1]); len(words) > 1 && words[0] == "backplane" {
				documented(t, help, file, words[1:])
			}
		}
	}
}

// documented looks for a command and its flags in the program's own help.
func documented(t *testing.T, help map[string]string, file string, words []string) {
	t.Helper()
	name := words[:1]
	if words[0] == "kernel" && len(words) > 1 {
		name = words[:2]
	}
	key := strings.Join(name, " ")
	if _, ok := help[key]; !ok {
		out, _, status := run(t, nil, append([]string{"help"}, name...)...)
		if status != 0 || !bytes.Contains([]byte(out), []byte("backplane "+key)) {
			t.Errorf("%s: there is no command %q", file, key)
		}
		help[key] = out
	}
	for _, w := range words[1:] {
		if w == "--" || key == "exec" && w[0] != '-' {
			return // what follows is another program's
		}
		if f := flag.FindString(w); f != "" && !regexp.MustCompile(regexp.QuoteMeta(f)+`\b`).MatchString(help[key]) {
			t.Errorf("%s: %s has no flag %s", file, key, f)
		}
	}
}
