package tests

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// journal checks events as they come, and keeps what is needed to find that none is lost.
type journal struct {
	mu     sync.Mutex
	n      int
	sum    hash.Hash // of all their lines
	last   simbus.Time
	states map[string]string // of boards
	seen   map[string]int    // states
	of     map[[2]string]int // states of each board
	lines  map[[2]string]int // of each console
	fates  *simbus.Recent    // the last events of boards' states
	latest []string          // the last events but frames and transfers
	wrong  []string
	ended  int          // jobs
	jobs   atomic.Int64 // that clients have begun
}

func newJournal() *journal {
	return &journal{sum: sha256.New(), states: make(map[string]string), seen: make(map[string]int), of: make(map[[2]string]int), lines: make(map[[2]string]int),
		fates: simbus.NewRecent(100, 1<<20)}
}

// listen calls f, one call at a time.
func (j *journal) listen(e *simbus.Event, f func(*simbus.Event)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(e)
}

// follows are the states that a board can have after another.
var follows = map[string][]string{
	"":                     {appliance.StateBooting},
	appliance.StateOff:     {appliance.StateBooting, appliance.StateLost}, // the second: it could not be started
	appliance.StateBooting: {appliance.StateUp, appliance.StateOff, appliance.StatePanic, appliance.StateLost, appliance.StateStuck},
	appliance.StateStuck:   {appliance.StateUp, appliance.StateOff, appliance.StatePanic, appliance.StateLost},
	appliance.StateUp:      {appliance.StateOff, appliance.StatePanic, appliance.StateLost},
	appliance.StatePanic:   {appliance.StateBooting, appliance.StateOff},
	appliance.StateLost:    {appliance.StateBooting, appliance.StateOff},
}

func (j *journal) event(e *simbus.Event) {
	line := append(e.AppendJSON(nil), '\n')
	j.n++
	j.sum.Write(line)
	if e.Time < j.last {
		j.complain("time goes back from %d: %s", j.last, line)
	}
	j.last = e.Time
	if e.Kind != ether.KindFrame && e.Kind != ether.KindFrameEnd && e.Kind != i2c.KindTransaction && len(line) < 400 {
		if j.latest = append(j.latest, string(line)); len(j.latest) > 400 {
			j.latest = slices.Clone(j.latest[200:])
		}
	}
	switch e.Kind {
	case appliance.KindExec:
		j.ended++
	case appliance.KindConsole:
		j.lines[[2]string{e.Board, e.Part}]++
	case appliance.KindGuest:
		j.fates.Add(e)
		state, _ := e.Get("state")
		if state == appliance.StateIncomplete {
			break
		}
		before := j.states[e.Board]
		if !slices.Contains(follows[before], state) {
			j.complain("state %q after %q: %s", state, before, line)
		}
		j.states[e.Board] = state
		j.seen[state]++
		j.of[[2]string{e.Board, state}]++
	}
}

// count is how often a board has been in a state.
func (j *journal) count(board, state string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of[[2]string{board, state}]
}

// lineCount is how many lines a console has said.
func (j *journal) lineCount(board, console string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines[[2]string{board, console}]
}

// fate tells how boards fared of late, with the reasons of those that were lost.
func (j *journal) fate() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var text []byte
	for _, e := range j.fates.Last(0) {
		text = append(e.AppendJSON(text), '\n')
	}
	return string(text)
}

func (j *journal) complain(format string, args ...any) {
	if len(j.wrong) < 10 {
		j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
	}
}

// check tells of what was wrong, and compares the events with those of the record.
func (j *journal) check(t *testing.T, out string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range j.wrong {
		t.Error(w)
	}
	if j.ended != int(j.jobs.Load()) {
		t.Errorf("%d jobs were begun, and %d have ended", int(j.jobs.Load()), j.ended)
	}
	for b, state := range j.states {
		if state != appliance.StateOff && state != appliance.StatePanic && state != appliance.StateLost {
			t.Errorf("at the end %s is %s", b, state)
		}
	}
	if err := record.Check(out); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(filepath.Join(out, record.EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	if want := j.sum.Sum(nil); sha256.Sum256(data) != [sha256.Size]byte(want) {
		t.Errorf("of %d events the record has %d, or others", j.n, strings.Count(string(data), "\n"))
	}
}
