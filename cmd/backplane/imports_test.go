package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors are the house from its top to its bottom. A folder without a place of its own
// belongs to the one that it is in.
var floors = []string{"cmd", "tests", "scenarios", "boards/control", "boards/appliance", "boards/saved", "boards/record", "boards", "guest", "periph",
	"simbus/gateway", "simbus/capture", "simbus/ether", "simbus/wire", "simbus",
	"firmware"}

// floor is where a folder is, counted from the top, or -1.
func floor(folder string) int {
	for ; folder != "."; folder = path.Dir(folder) {
		if at := slices.Index(floors, folder); at >= 0 {
			return at
		}
	}
	return -1
}

// TestImportsRunDownwards: a folder imports itself and those after it.
func TestImportsRunDownwards(t *testing.T) {
	root, arrows := "../..", make([]int, len(floors))
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(file, root+"/"))
		at := floor(path.Dir(name))
		if err != nil || at < 0 || !strings.HasSuffix(name, ".go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if imported, ok := strings.CutPrefix(imported, "backplane/"); ok {
				arrows[at]++
				if floor(imported) < at {
					t.Errorf("%s imports %s: must be one of %s", name, imported, strings.Join(floors[at:], ", "))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for at, n := range arrows {
		if n == 0 && floors[at] != "simbus/wire" { // which needs nothing
			t.Errorf("no imports were found in %s", floors[at])
		}
	}
}

// TestChipsStandAlone: a chip's package imports no other chip's, nor their list. What chips
// share is no chip, and tests have a bench.
func TestChipsStandAlone(t *testing.T) {
	const chips = "periph/chips/"
	files, err := filepath.Glob("../../" + chips + "*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no chip is found: %v", err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			imported, _ := strconv.Unquote(i.Path.Value)
			bench := strings.HasSuffix(file, "_test.go") && imported == "backplane/"+chips+"chiptest"
			if strings.HasPrefix(imported+"/", "backplane/"+chips) && !bench {
				t.Errorf("%s imports %s", strings.TrimPrefix(file, "../../"), imported)
			}
		}
	}
}
