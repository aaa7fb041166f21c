package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestBuildsAreLogged: what is built, found or fails, and each step.
func TestBuildsAreLogged(t *testing.T) {
	core, seen := observer.New(zap.DebugLevel)
	lines := func() (list []string) {
		for _, e := range seen.TakeAll() {
			text := fmt.Sprint(e.Level, " ", e.LoggerName, ": ", e.Message)
			if step, ok := e.ContextMap()["step"]; ok {
				text += fmt.Sprint(" ", step)
			}
			list = append(list, text)
		}
		return list
	}
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, good)}, Cache: t.TempDir(), Log: zap.New(core)}
	image, err := b.Build(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if e := seen.FilterMessage("build").All(); len(e) != 1 || e[0].ContextMap()["kernel"] != image.Path || e[0].ContextMap()["flavour"] != "virtual" {
		t.Errorf("the build is logged as %v", e)
	}
	steps := []string{"debug kernel: step unpack", "debug kernel: step configure", "debug kernel: step compile"}
	if d := cmp.Diff(append(steps, "info kernel: build"), lines()); d != "" {
		t.Error(d)
	}
	if _, err := b.Build(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"debug kernel: found"}, lines()); d != "" {
		t.Error(d)
	}
	b.Source = tree(t, strings.Replace(good, "echo kernel > $(O)/linux", "echo 'a.c:1: error: no'; false", 1))
	if _, err = b.Build(context.Background()); err == nil {
		t.Fatal("it is built")
	}
	if e := seen.FilterMessage("build failed").All(); len(e) != 1 || e[0].ContextMap()["error"] != err.Error() {
		t.Errorf("the build that fails is logged as %v", e)
	}
	if d := cmp.Diff(append(steps, "error kernel: build failed"), lines()); d != "" {
		t.Error(d)
	}
}
