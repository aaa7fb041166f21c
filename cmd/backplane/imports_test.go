package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImportsRunDownwards: a folder imports itself and those after it.
func TestImportsRunDownwards(t *testing.T) {
	order := []string{"cmd", "tests", "scenarios", "boards", "guest", "periph", "simbus", "firmware"}
	root, arrows := "../..", 0
	for at, folder := range order {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				if name, ok := strings.CutPrefix(name, "backplane/"); ok {
					arrows++
					if to, _, _ := strings.Cut(name, "/"); slices.Index(order, to) < at {
						t.Errorf("%s imports %s: must be one of %s", strings.TrimPrefix(path, root+"/"), name, strings.Join(order[at:], ", "))
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if arrows < 100 {
		t.Errorf("only %d imports were found", arrows)
	}
}
