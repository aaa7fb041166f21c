package appliance_test

import (
	"os"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
)

// TestSlotCycles swaps two cards a hundred times: links lead to whichever is in the slot, no two
// are in it, and no descriptors are left.
func TestSlotCycles(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, guesttest.New(t), files{"b.toml": oneBoard, "main.toml": "name = 'x'\n[[board]]\nname = 'a'\nfile = 'b.toml'\n" +
			"[[board]]\nname = 'c'\nfile = 'b.toml'\nslot = 's'\noff = true\n[[board]]\nname = 'd'\nfile = 'b.toml'\nslot = 's'\noff = true\nunplugged = true\n" +
			"[[segment]]\nname = 'lan'\nports = ['a.eth0', 's.eth0']\n[[serial]]\nname = 'line'\nports = ['a.uart1', 's.uart1']\n[[wire]]\nname = 'w'\nfrom = 's.gpio0.out'\nto = 'a.gpio0.in'\ndelay = '0s'\n"}, o)
		r.up("a")
		in := func(card string) { // it alone drives the wire, and has a link
			t.Helper()
			for _, b := range []string{"c", "d"} {
				r.must(r.Set(b+".gpio0.out", map[bool]string{true: "1", false: "0"}[b == card]))
				if up := r.value(b+".eth0.link") == "up"; up != (b == card) {
					t.Errorf("%s is in the slot, and the link of %s is up: %v", card, b, up)
				}
			}
			if level := r.value("a.gpio0.in"); level != map[bool]string{true: "1", false: "0"}[card != ""] {
				t.Errorf("%q is in the slot, and the wire reads %s", card, level)
			}
		}
		open := func() int {
			list, err := os.ReadDir("/proc/self/fd")
			r.must(err)
			return len(list)
		}
		in("c")
		for _, tt := range []struct {
			do          *appliance.ActionKind
			place, want string
		}{{appliance.Plug, "c", "c is already plugged"}, {appliance.Unplug, "d", "d is already unplugged"},
			{appliance.Plug, "d", "c is in slot s: unplug it first"}, {appliance.PowerOn, "d", "board d is not in its slot, s: plug it"}} {
			if err := r.Do(tt.do.At(tt.place)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s %s: %v", tt.do.Name, tt.place, err)
			}
		}
		if err := r.Do(appliance.Action{Kind: appliance.Plug, Place: "s", Data: []byte("[[i2c]]\nname = 'i2c9'\n")}); err == nil || !strings.Contains(err.Error(), "s is a slot: name the board that is in it (c or d)") {
			t.Errorf("a part for a slot: %v", err)
		}
		before := open()
		for range 50 {
			r.must(r.Do(appliance.Unplug.At("c")))
			in("")
			r.must(r.Do(appliance.Plug.At("d")))
			in("d")
			r.must(r.Do(appliance.Unplug.At("d")))
			r.must(r.Do(appliance.Plug.At("c")))
			in("c")
		}
		if after := open(); after > before+2 { // of the test's own
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
		r.must(r.PowerOn("c"))
		r.up("c")
		r.must(r.Do(appliance.Unplug.At("c")))
		if state, err := r.State("c"); state != appliance.StateOff || err != nil {
			t.Errorf("it was pulled while it ran, and is %s, %v", state, err)
		}
	})
}
