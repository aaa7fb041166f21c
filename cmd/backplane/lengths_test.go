package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// How many lines a file and a function may have. Most have far fewer: what comes near is
// to be cut, and a limit is only ever lowered.
const (
	mostOfFile     = 470
	mostOfFunction = 90
)

// TestLengths holds files and functions that are no tests to their limits.
func TestLengths(t *testing.T) {
	root, files, set := "../..", 0, token.NewFileSet()
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			return err
		}
		files++
		if n := set.File(parsed.Pos()).LineCount(); n > mostOfFile {
			t.Errorf("%s has %d lines, and may have %d", file, n, mostOfFile)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > mostOfFunction {
					t.Errorf("%s: %s has %d lines, and may have %d", set.Position(f.Pos()), f.Name.Name, n, mostOfFunction)
				}
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files: %v", files, err)
	}
}
