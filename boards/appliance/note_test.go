package appliance

import (
	"slices"
	"testing"

	"backplane/simbus"

	"go.uber.org/zap"
)

// TestNoteOnce: what boards have in common is told once.
func TestNoteOnce(t *testing.T) {
	var told []string
	r := &Running{opts: Options{Note: func(text string) { told = append(told, text) }}, noted: make(map[string]bool), log: zap.NewNop(), cal: simbus.NewVirtual()}
	for _, text := range []string{"base.tar", "base.tar", "own.tar", "base.tar"} {
		r.noteOnce(text)
	}
	if !slices.Equal(told, []string{"base.tar", "own.tar"}) {
		t.Errorf("told %q", told)
	}
}
