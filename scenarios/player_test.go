package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
)

// withPlayer loads a scenario with a player.
func withPlayer(t *testing.T, steps, player string) (*Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.toml":      "name = 'a'\n",
		"s.toml":      "appliance = 'a.toml'\nplayer = 'player.toml'\n" + steps,
		"player.toml": player} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "s.toml"))
}

const (
	drill = `
[[step]]
name = "broken, and mended within 5 s"
wait = "1s"
cut = "lan"
expect = { property = "b.temp0.temperature", equals = 30, within = "5s" }
[[step]]
name = "nothing else for a second"
wait = "1s"
`
	mender = `
[[step]]
name = "sees that it is broken"
expect = { console = "b", match = '^broken (?P<how>.*)$', within = "1m" }
[[step]]
name = "mends it"
wait = "500ms"
set = { "b.temp0.temperature" = 30 }
[[step]]
name = "waits for the next"
expect = { console = "b", match = '^broken', within = "1h" }
`
)

// TestPlayer has a player act beside a scenario, in time, each by its own steps.
func TestPlayer(t *testing.T) {
	broken := func(f *fake) { f.after(2*time.Second, "console", appliance.KindConsole, line("broken twice")) }
	for _, tt := range []struct {
		name, player string
		seated       bool
		did          []string
		result       string
	}{
		{"mends it", mender, false, []string{"1.000000000s cut lan", "2.501000000s set b.temp0.temperature 30"}, Passed},
		{"mends it too late", strings.Replace(mender, "500ms", "5s", 1), false, []string{"1.000000000s cut lan"}, Failed},
		{"sees nothing", strings.Replace(mender, "^broken (?P", "^all well (?P", 1), false, []string{"1.000000000s cut lan"}, Failed},
		{"is somebody else", mender, true, []string{"1.000000000s cut lan"}, Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := withPlayer(t, drill, tt.player)
			if err != nil {
				t.Fatal(err)
			}
			rec := s.Recorder()
			f := newFake(t, rec)
			broken(f)
			var told []string
			r := Run(context.Background(), f, s, Options{Recorder: rec, Seated: tt.seated, OnStep: func(r StepResult) {
				told = append(told, map[bool]string{true: "player "}[r.Player]+r.Name+" "+r.Result)
			}})
			if r.Result != tt.result || !slices.Equal(f.did, tt.did) {
				t.Errorf("%s, and it did %q, want %s, %q: %s", r.Result, f.did, tt.result, tt.did, message(r))
			}
			if tt.result == Failed {
				if got := r.Steps[1]; got.Result != Failed || !strings.Contains(message(r), "expected b.temp0.temperature equal to 30 within 5s, until 6.000000000s") {
					t.Errorf("step 1 is %s: %s", got.Result, message(r))
				}
				return
			}
			want := []string{"the boards come up passed", "player sees that it is broken passed", "player mends it passed", "broken, and mended within 5 s passed", "nothing else for a second passed"}
			if !slices.Equal(told, want) {
				t.Errorf("told of %q, want %q", told, want)
			}
			if got := r.Player; len(got) != 2 || got[0].Captured["how"] != "twice" || got[1].End != 2_501_000_000 || r.Steps[1].End < got[1].End {
				t.Errorf("the report has of the player %+v", got)
			}
		})
	}
}

// TestPlayersMistakes finds what is wrong with a player's file, and that it does not know
// what the scenario captures.
func TestPlayersMistakes(t *testing.T) {
	for _, tt := range []struct{ steps, player, want string }{
		{drill, "[[step]]\nexpect = { console = 'b' }\n", "player.toml:2:"},
		{drill, "seed = 1\n[[step]]\nwait = '1s'\n", "seed is for the whole scenario"},
		{drill, "", "the file has no steps"},
		{drill, "[[step]]\ninclude = 's.toml'\n", "s.toml includes itself"},
		{"[[step]]\nexpect = { console = 'b', match = '(?P<x>.)' }\n", "[[step]]\nsend = { to = 'b', text = '${x}' }\n", "${x}"},
	} {
		if _, err := withPlayer(t, tt.steps, tt.player); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
	if _, err := Parse("s.toml", []byte("appliance = 'a.toml'\nplayer = ''\n"+drill)); err == nil || !strings.Contains(err.Error(), "player must be a file of steps") {
		t.Errorf("error %v", err)
	}
}
