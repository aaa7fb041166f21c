package appliance_test

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// ballooning are kernels with a program "balloon N" that puts as many pages into the balloon as it is asked to, but N at
// most.
func ballooning(t *testing.T) *guesttest.Kernels {
	ks := guesttest.New(t)
	ks.Programs["balloon"] = func(p *guesttest.Program) int {
		most, _ := strconv.Atoi(p.Args[1])
		d := p.Device("balloon")
		for range 7 { // the first brings something, and the last goes back
			pages := min(binary.LittleEndian.Uint32(d.Config(8)), uint32(most))
			d.SetConfig(4, binary.LittleEndian.AppendUint32(nil, pages))
		}
		return 0
	}
	return ks
}

// TestMemory has a guest give up memory and take it back, do without less than it was to, and lie.
func TestMemory(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, ballooning(t), files{"main.toml": "name = \"b\"\nmemory = \"128M\"\n"}, o)
		r.up("b")
		until := func(want string) {
			t.Helper()
			e := r.until("memory", func(e *simbus.Event) bool {
				name, _ := e.Get("name")
				return e.Board == "b" && e.Part == "" && e.Kind == "property" && name == "memory"
			})
			if value, _ := e.Get("value"); value != want || r.value("b.memory") != want {
				t.Errorf("an event says %s, and the board has %s; want %s", value, r.value("b.memory"), want)
			}
			r.until("the program's end", func(e *simbus.Event) bool { return e.Kind == "exec" })
		}
		if got := r.value("b.memory"); got != "128M" {
			t.Errorf("the board has %s", got)
		}
		r.must(r.Set("b.memory", "64M"))
		r.exec("b", "balloon", "100000")
		until("64M")
		r.must(r.Set("b.memory", "131072K"))
		r.exec("b", "balloon", "100000")
		until("128M")
		r.must(r.Set("b.memory", "32M"))
		r.exec("b", "balloon", "10240")
		if detail, _ := r.state("b", appliance.StateIncomplete); detail != "32M of memory: it could do without no more, and has 96M" {
			t.Errorf("it says %q", detail)
		}
		until("96M")
		for value, why := range map[string]string{"129M": "it must be 32M to 128M", "31M": "it must be 32M to 128M", "much": "not an amount", "": "not an amount", "34567890": "whole pages"} {
			if err := r.Set("b.memory", value); err == nil || !strings.HasPrefix(err.Error(), "b.memory: ") || !strings.Contains(err.Error(), why) {
				t.Errorf("set to %q: %v", value, err)
			}
		}
		r.must(r.PowerOff("b"))
		r.state("b", appliance.StateOff)
		if err := r.Set("b.memory", "64M"); err == nil || err.Error() != "b.memory: the board is off" {
			t.Errorf("set of a board that is off: %v", err)
		}
		if got := r.value("b.memory"); got != "0" {
			t.Errorf("a board that is off has %s", got)
		}
		r.must(r.PowerOn("b"))
		if o.Virtual { // in real time it may be up by now
			if err := r.Set("b.memory", "64M"); err == nil || err.Error() != "b.memory: the board boots: its balloon has no driver yet" {
				t.Errorf("set of a board that boots: %v", err)
			}
		}
		r.up("b")
		if got := r.value("b.memory"); got != "128M" {
			t.Errorf("after a start the board has %s", got)
		}
	})
}
