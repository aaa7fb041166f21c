package appliance_test

import (
	"strconv"
	"strings"
	"testing"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// TestCPUs has a guest take CPUs offline and online, keep one, and lie.
func TestCPUs(t *testing.T) {
	ks := guesttest.New(t)
	ks.Programs["cpus"] = func(p *guesttest.Program) int {
		switch n, _ := strconv.Atoi(p.Args[1]); n {
		case 3: // it has one more than it says
			p.CPUs(99)
			p.CPUs(0)
			p.CPUs(-1)
			p.CPUs(4)
		default:
			p.CPUs(n)
		}
		return 0
	}
	r := start(t, ks, files{"main.toml": "cpus = 4\n" + oneBoard}, appliance.Options{})
	r.up("b")
	get := func(want string) {
		t.Helper()
		if got, unit, err := r.Get("b.cpus"); got != want || unit != "" || err != nil {
			t.Errorf("%s CPUs are online, %v; want %s", got, err, want)
		}
	}
	until := func(want string) {
		t.Helper()
		r.until("CPUs", func(e *simbus.Event) bool {
			name, _ := e.Get("name")
			value, _ := e.Get("value")
			if name == "cpus" && value != want {
				t.Errorf("an event says %s CPUs", value)
			}
			return e.Board == "b" && e.Part == "" && e.Kind == "property" && name == "cpus"
		})
		get(want)
	}
	get("4")
	r.must(r.Set("b.cpus", "2"))
	until("2")
	r.must(r.Set("b.cpus", "3"))
	until("4")
	for value, why := range map[string]string{"0": "cpus is 0, outside 1 to 4", "5": "cpus is 5, outside 1 to 4", "many": "many"} {
		if err := r.Set("b.cpus", value); err == nil || !strings.HasPrefix(err.Error(), "b.cpus: ") || !strings.Contains(err.Error(), why) {
			t.Errorf("set to %s: %v", value, err)
		}
	}
	if _, _, err := r.Get("b.cpu"); err == nil || err.Error() != `b.cpu: "b.cpu" names nothing: write board.part.property, board.controller.line, board.cpus or board.memory` {
		t.Errorf("get b.cpu: %v", err)
	}
}

// TestCPUsThatStay: the kernel cannot take CPUs offline, which is told.
func TestCPUsThatStay(t *testing.T) {
	r := start(t, guesttest.New(t), files{"main.toml": "cpus = 4\n" + oneBoard}, appliance.Options{})
	r.up("b")
	r.must(r.Set("b.cpus", "1"))
	if detail, _ := r.state("b", appliance.StateIncomplete); detail != "1 of its CPUs online: cpus: not found" {
		t.Errorf("it says %q", detail)
	}
}
