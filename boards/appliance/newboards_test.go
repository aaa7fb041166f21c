package appliance_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// newBoard is a text with a board beside those of pair, on their segment.
const newBoard = `board = [{ name = "c", file = "b.toml", set = { "temp0.temperature" = 33 } }]
segment = [{ name = "lan", ports = ["c.eth0"] }]
`

func plugText(text string) appliance.Action {
	return appliance.Action{Kind: appliance.Plug, Data: []byte(text)}
}

// TestNewBoard: a board is plugged into an appliance that runs, boots, is on its segment, and is unplugged and
// plugged again by its name.
func TestNewBoard(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		r.pass(100 * time.Millisecond)
		r.must(r.Do(plugText(newBoard)))
		plugged := r.until("c is plugged", func(e *simbus.Event) bool { return e.Kind == "plug" && e.Board == "c" })
		if state, _ := plugged.Get("state"); state != appliance.StatePlugged || plugged.Time < simbus.Time(100*time.Millisecond) {
			t.Errorf("c is %s at %s", state, plugged.Time)
		}
		for _, key := range []string{"file", "kernel", "root"} {
			if hash, _ := plugged.Get(key); len(hash) != 64 {
				t.Errorf("%s of the new board is %q in its event", key, hash)
			}
		}
		r.up("c")
		if v, _, err := r.Get("c.temp0.temperature"); err != nil || v != "33" {
			t.Errorf("its sensor has %s, %v", v, err)
		}
		if names := r.Boards(); !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("the boards are %q", names)
		}
		for _, kind := range []string{"board", "plug", "console", "property"} {
			if !slices.ContainsFunc(r.Places(kind), func(p string) bool { return p == "c" || strings.HasPrefix(p, "c.") || strings.HasPrefix(p, "c:") }) {
				t.Errorf("c is not among the places of kind %s", kind)
			}
		}
		r.must(r.Do(appliance.Unplug.At("c")))
		if state, err := r.State("c"); err != nil || state != appliance.StateOff {
			t.Errorf("unplugged, c is %q, %v", state, err)
		}
		if err := r.PowerOn("c"); err == nil {
			t.Error("it can be switched on while it is unplugged")
		}
		r.must(r.Do(appliance.Plug.At("c")))
		r.up("c")
	})
}

// TestNewBoardReplayed: a session with a new board, replayed, is the same.
func TestNewBoardReplayed(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	t.Run("session", func(t *testing.T) {
		r := start(t, hearing(t), pair(), appliance.Options{Virtual: true, Seed: 7, Out: first})
		r.up("a", "b")
		r.must(r.Do(plugText(newBoard)))
		r.up("c")
		r.exec("c", "frame", "1")
		r.pass(time.Millisecond)
		r.must(r.Do(appliance.Unplug.At("c")))
		r.pass(time.Millisecond)
		r.must(r.Do(appliance.Plug.At("c")))
		r.up("c")
	})
	t.Run("replay", func(t *testing.T) {
		r := start(t, hearing(t), pair(), appliance.Options{Virtual: true, Seed: 7, Out: second})
		text, err := os.ReadFile(filepath.Join(first, record.InputsFile))
		r.must(err)
		for line := range strings.Lines(string(text)) {
			var in record.Input
			r.must(json.Unmarshal([]byte(line), &in))
			if in.Time > r.Now() {
				_, err := r.Advance(context.Background(), in.Time, nil)
				r.must(err)
			}
			if in.Do != record.DoEnd {
				_ = r.Apply(in)
			}
		}
	})
	events := func(dir string) string {
		data, err := os.ReadFile(filepath.Join(dir, record.EventsFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if a, b := events(first), events(second); a != b || !strings.Contains(a, `"board":"c"`) {
		t.Error("the events differ, or have nothing of c")
	}
}

// TestNewBoardRefused: what is wrong with a text is said with its place, and what cannot be made leaves nothing, so that
// the same text can be given again.
func TestNewBoardRefused(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		for text, want := range map[string]string{
			`board = [{ name = "a", file = "b.toml" }]`:                                                             `argument:1:12: the name "a" is taken, in `,
			`board = [{ name = "A b", file = "b.toml" }]`:                                                           `argument:1:12: name "A b" `,
			`board = [{ name = "c", file = "none.toml" }]`:                                                          "none.toml: no such file",
			`board = [{ name = "c" }]`:                                                                              `a board without a file`,
			`board = [{ name = "c", file = "b.toml", slot = "a" }]`:                                                 "the name of a board, in ",
			`board = [{ name = "c", file = "b.toml", unplugged = true }]`:                                           "needs a slot",
			`board = [{ name = "c", file = "main.toml" }]`:                                                          "is an appliance; it must be a board",
			`board = [{ name = "c", file = "b.toml", sett = {} }]`:                                                  `unknown key "sett"`,
			`board = [{ name = "c", file = "b.toml" }, { name = "c", file = "b.toml" }]`:                            `the name "c" is taken`,
			`board = [{ name = "c", file = "b.toml" }]` + "\n" + `segment = [{ name = "lan", ports = ["c.eth7"] }]`: `"eth7"`,
		} {
			if err := r.Do(plugText(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
		}
		if names := r.Boards(); !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("the boards are %q", names)
		}
		r.must(r.Do(plugText(newBoard)))
		r.up("c")
	})
}

// TestNewBoardsAtOnce: several clients plug boards and look at them at the same time.
func TestNewBoardsAtOnce(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		var all sync.WaitGroup
		names := []string{"c", "d", "e", "f"}
		for _, name := range names {
			all.Go(func() {
				if err := r.Do(plugText(strings.ReplaceAll(newBoard, `"c`, `"`+name))); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				for range 20 {
					r.States()
					r.Places("plug")
					r.Readings()
				}
			})
		}
		all.Wait()
		r.up(names...)
		if n := len(r.States()); n != 6 {
			t.Errorf("there are %d boards", n)
		}
	})
}

// TestNewBoardNotMade: a board whose kernel cannot be had is not there afterwards.
func TestNewBoardNotMade(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		f := pair()
		f["own.toml"] = strings.Replace(f["b.toml"], "[firmware]", "[firmware]\nkernel = \"none\"", 1)
		r := start(t, guesttest.New(t), f, o)
		if err := r.Do(plugText(`board = [{ name = "c", file = "own.toml" }]`)); err == nil {
			t.Error("a board without a kernel is plugged")
		}
		if names := r.Boards(); !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("the boards are %q", names)
		}
	})
}

// TestNewBoardAgain: where the last of a text cannot be made, what was made before goes, and the same text can be given
// again when the cause has gone.
func TestNewBoardAgain(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		o.Out, o.Paced = filepath.Join(t.TempDir(), "record"), o.Virtual
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		taken := filepath.Join(t.TempDir(), "taken")
		r.must(os.WriteFile(taken, nil, 0o600))
		text := newBoard + "serial = [{ name = \"outside\", ports = [\"c.uart1\"], pty = \"" + taken + "\" }]\n"
		if err := r.Do(plugText(text)); err == nil || !strings.Contains(err.Error(), taken) {
			t.Errorf("with a name that is taken: %v", err)
		}
		if names := r.Boards(); !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("the boards are %q", names)
		}
		if places := r.Places("link"); slices.Contains(places, "lan:c.eth0") || slices.Contains(places, "outside") {
			t.Errorf("of the links there are left %q", places)
		}
		r.must(os.Remove(taken))
		r.must(r.Do(plugText(text)))
		r.up("c")
		r.must(r.Close())
		r.must(record.Check(o.Out))
	})
}

// TestLinksComeBack: where a text cannot be carried out, unplugged links and ports whose ends it takes are there as before.
func TestLinksComeBack(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		o.Paced = o.Virtual
		r := start(t, hearing(t), pair(), o)
		r.up("a", "b")
		taken := filepath.Join(t.TempDir(), "taken")
		r.must(os.WriteFile(taken, nil, 0o600))
		r.must(r.Do(appliance.Unplug.At("line")))
		r.must(r.Do(appliance.Unplug.At("lan:b.eth0")))
		before := r.Places("link")
		text := "segment = [{ name = \"other\", ports = [\"b.eth0\"] }]\nserial = [{ name = \"outside\", ports = [\"a.uart1\"], pty = \"" + taken + "\" }]\n"
		if err := r.Do(plugText(text)); err == nil || !strings.Contains(err.Error(), taken) {
			t.Errorf("with a name that is taken: %v", err)
		}
		if places := r.Places("link"); !slices.Equal(places, before) {
			t.Errorf("of the links there are left %q of %q", places, before)
		}
		r.exec("a", "uart", "x")
		r.exec("a", "frame", "1")
		r.silent("b")
		for _, place := range []string{"line", "lan:b.eth0"} {
			r.must(r.Do(appliance.Plug.At(place)))
		}
		r.exec("a", "uart", "y")
		r.line("b", "console", "uart y")
		r.exec("a", "frame", "2")
		r.line("b", "console", "frame 2")
	})
}

// TestNewCard: a board comes into a slot that is empty, has the slot's links, and is pulled for the card that was there.
func TestNewCard(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, hearing(t), files{"b.toml": oneBoard, "main.toml": `name = "x"
board = [{ name = "a", file = "b.toml" }, { name = "c", file = "b.toml", slot = "s" }]
segment = [{ name = "lan", ports = ["a.eth0", "s.eth0"] }]
serial = [{ name = "line", ports = ["a.uart1", "s.uart1"] }]
wire = [{ name = "w", from = "s.gpio0.out", to = "a.gpio0.in", delay = "0s" }]
`, "n.toml": strings.Replace(oneBoard, `"out"`, `"other"`, 1)}, o)
		r.up("a", "c")
		card := `board = [{ name = "e", file = "FILE", slot = "s" }, { name = "f", file = "n.toml", slot = "s", unplugged = true }]`
		text := strings.Replace(card, "FILE", "b.toml", 1)
		if err := r.Do(plugText(text)); err == nil || !strings.Contains(err.Error(), "c is in slot s: unplug it first") {
			t.Errorf("into a slot with a card: %v", err)
		}
		r.must(r.Do(appliance.Unplug.At("c")))
		if err := r.Do(plugText(strings.Replace(text, ", unplugged = true", "", 1))); err == nil || !strings.Contains(err.Error(), "need unplugged = true") {
			t.Errorf("two into a slot: %v", err)
		}
		r.must(r.Do(plugText(text)))
		r.up("e")
		r.must(r.Set("e.gpio0.out", "1"))
		for place, want := range map[string]string{"a.gpio0.in": "1", "e.eth0.link": "up", "c.eth0.link": "down", "f.eth0.link": "down"} {
			if got := r.value(place); got != want {
				t.Errorf("with e in the slot, %s is %s", place, got)
			}
		}
		r.exec("a", "frame", "7")
		r.line("e", "console", "frame 7")
		r.must(r.Do(appliance.Unplug.At("e")))
		if got := r.value("a.gpio0.in"); got != "0" {
			t.Errorf("with the slot empty the wire reads %s", got)
		}
		r.must(r.Do(appliance.Plug.At("f")))
		r.up("f")
		if !slices.ContainsFunc(r.notes, func(n string) bool { return strings.Contains(n, "board f has nothing for s.gpio0.out") }) {
			t.Errorf("what f lacks is not said: %q", r.notes)
		}
		r.must(r.Do(appliance.Unplug.At("f")))
		r.must(r.Do(appliance.Plug.At("c")))
		r.up("c")
		if got := r.value("c.eth0.link"); got != "up" {
			t.Errorf("with c back its link is %s", got)
		}
	})
}
