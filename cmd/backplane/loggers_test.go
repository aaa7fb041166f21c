package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLoggersArePassed: the command makes the one logger, and everybody else is given it.
// No package has one of its own, and what runs on boards has none.
func TestLoggersArePassed(t *testing.T) {
	users := make(map[string]int)
	root := "../.."
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "tests/programs/") {
			return err
		}
		folder, _, _ := strings.Cut(name, "/")
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		wrong, uses := loggers(f, folder == "cmd")
		if uses {
			users[folder]++
		}
		for _, what := range wrong {
			t.Errorf("%s %s", name, what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"cmd", "boards", "guest", "simbus"} {
		if users[folder] == 0 {
			t.Errorf("nobody in %s uses a logger: this test looks at the wrong files", folder)
		}
	}
	if users["firmware"] > 0 {
		t.Error("a program that runs on boards has a logger: it is to be small")
	}
}

// loggers says what a file does with loggers that it must not, and whether it uses any.
func loggers(f *ast.File, makes bool) (wrong []string, uses bool) {
	for _, i := range f.Imports {
		switch path, _ := strconv.Unquote(i.Path.Value); path {
		case "log", "log/slog":
			wrong = append(wrong, "imports "+path+": it is to be given a *zap.Logger")
		case "go.uber.org/zap", "go.uber.org/zap/zapcore":
			uses = true
			if i.Name != nil {
				wrong = append(wrong, "gives "+path+" another name")
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if name := ofZap(n); name != "" && (slices.Contains(global, name) || !makes && making(name)) {
			wrong = append(wrong, "has "+name+": it is to be given a *zap.Logger")
		}
		return true
	})
	for _, d := range f.Decls {
		if v, ok := d.(*ast.GenDecl); ok && v.Tok == token.VAR {
			ast.Inspect(v, func(n ast.Node) bool {
				if name := ofZap(n); name != "" {
					wrong = append(wrong, "has a variable of the package with "+name+": it is to be given a *zap.Logger")
				}
				return true
			})
		}
	}
	return wrong, uses
}

// global are the functions that use zap's global loggers, or the standard library's.
var global = []string{"zap.L", "zap.S", "zap.ReplaceGlobals", "zap.RedirectStdLog", "zap.RedirectStdLogAt", "zap.NewStdLog", "zap.NewStdLogAt"}

// making tells whether something of zap makes a logger that writes.
func making(name string) bool {
	return name != "zap.NewNop" && (strings.HasPrefix(name, "zap.New") || strings.HasPrefix(name, "zapcore.New") || name == "zap.Config" || name == "zap.Open")
}

// ofZap is the name of something of zap, "" if it is none.
func ofZap(n ast.Node) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); ok && (x.Name == "zap" || x.Name == "zapcore") {
		return x.Name + "." + s.Sel.Name
	}
	return ""
}

// TestLoggersThatAreWrong: the rule sees what breaks it.
func TestLoggersThatAreWrong(t *testing.T) {
	for text, wrong := range map[string]int{
		`import "log/slog"`:                                                                          1,
		`import zip "go.uber.org/zap"`:                                                               1,
		`import "go.uber.org/zap"; var log *zap.Logger`:                                              1,
		`import "go.uber.org/zap"; func f() { zap.L().Info("") }`:                                    1,
		`import "go.uber.org/zap"; func f() { l, _ := zap.NewProduction(); l.Info("") }`:             1,
		`import "go.uber.org/zap"; type t struct { log *zap.Logger }; func f() { t{zap.NewNop()} }`:  0,
		`import "go.uber.org/zap/zapcore"; func f(e zapcore.Encoder) { zapcore.NewCore(e, nil, 0) }`: 1,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := loggers(f, false); len(got) != wrong {
			t.Errorf("%s: %q", text, got)
		}
	}
}
