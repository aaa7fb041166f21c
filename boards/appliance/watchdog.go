package appliance

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"backplane/guest"
	"backplane/simbus"
)

// watchdog says what guests do while virtual time hardly gets on. Nothing bounds
// the host's time that they may take for it: a guest that computes a lot is no
// fault, and one that asks again and again, without end, looks the same from outside.
type watchdog struct {
	r      *Running
	used   func() []time.Duration // CPU time of each board's kernel, 0 of one that is off
	moving atomic.Bool            // Advance is running
	slow   atomic.Bool            // what happens is counted
	end    chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	since mark
	deeds map[deed]int // since then, once it is slow
}

// mark is where an appliance was.
type mark struct {
	host    time.Time
	virtual simbus.Time
	cpu     []time.Duration // that each board had used, once it is slow
}

// deed is something that a board does.
type deed struct{ board, part, kind, addr string }

const (
	watchEvery = 500 * time.Millisecond
	// stopped is a pause between two looks in which the program, or all of the machine, was.
	stopped = 10 * watchEvery
	// crawl is how much slower than the host's time virtual time must be to be
	// worth a word, and patience how long.
	crawl    = 100
	patience = 10 * time.Second
)

// newWatchdog watches over an appliance in virtual time.
func newWatchdog(r *Running) *watchdog {
	w := &watchdog{r: r, used: r.cpuTimes, end: make(chan struct{}), done: make(chan struct{})}
	w.begin(time.Now(), r.Now(), false)
	go w.run()
	return w
}

func (w *watchdog) close() {
	if w != nil {
		close(w.end)
		<-w.done
	}
}

// move tells whether Advance is running.
func (w *watchdog) move(on bool) {
	if w != nil {
		w.moving.Store(on)
	}
}

func (w *watchdog) run() {
	defer close(w.done)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	again, before := patience, time.Now()
	for {
		select {
		case <-w.end:
			return
		case <-tick.C:
		}
		host, virtual := time.Now(), w.r.Now()
		if host.Sub(before) > stopped { // it was this program that did not get on
			w.begin(host, virtual, w.slow.Load())
		}
		before = host
		switch took, slow := w.look(host, virtual); {
		case !slow:
			again = patience
		case took >= again:
			again *= 2
			w.r.note(w.text())
		}
	}
}

// look tells whether the appliance is slow, and since how long.
func (w *watchdog) look(host time.Time, virtual simbus.Time) (took time.Duration, slow bool) {
	w.mu.Lock()
	took, got := host.Sub(w.since.host), virtual.Sub(w.since.virtual)
	w.mu.Unlock()
	slow = w.moving.Load() && got <= took/crawl
	if slow && w.slow.Load() {
		return took, true
	}
	w.begin(host, virtual, slow)
	w.slow.Store(slow)
	return 0, slow
}

// begin counts from now on. What boards use and do is of interest only while the
// appliance is slow.
func (w *watchdog) begin(host time.Time, virtual simbus.Time, slow bool) {
	now, deeds := mark{host: host, virtual: virtual}, map[deed]int(nil)
	if slow {
		now.cpu, deeds = w.used(), make(map[deed]int)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.deeds = now, deeds
}

// cpuTimes are the CPU times that the boards' kernels have used.
func (r *Running) cpuTimes() []time.Duration {
	all := r.machines()
	list := make([]time.Duration, len(all))
	for i, m := range all {
		list[i] = guest.CPUTime(int(m.pid.Load()))
	}
	return list
}

// event takes note of what boards do, if that is of interest.
func (w *watchdog) event(e *simbus.Event) {
	if !w.slow.Load() {
		return
	}
	addr, _ := e.Get("addr")
	w.mu.Lock()
	if w.deeds != nil { // else it is slow no longer
		w.deeds[deed{e.Board, e.Part, e.Kind, addr}]++
	}
	w.mu.Unlock()
}

// text says which board has used most of the host's time of late, and with what.
func (w *watchdog) text() string {
	w.mu.Lock()
	since, deeds := w.since, w.deeds
	w.mu.Unlock()
	got := w.r.Now().Sub(since.virtual)
	var busiest *Machine
	var most time.Duration
	for i, used := range w.used() {
		if i < len(since.cpu) && used >= since.cpu[i] { // else it is another kernel by now
			used -= since.cpu[i]
		}
		if used > most {
			busiest, most = w.r.machines()[i], used
		}
	}
	took := time.Since(since.host)
	if busiest == nil {
		return fmt.Sprintf("%s of host time went by for %s of the appliance's", round(took), round(got))
	}
	said := fmt.Sprintf("board %s has taken %s of host time, of %s, for %s of the appliance's", busiest.name, round(most), round(took), round(got))
	var what []string
	if task := busiest.task(); task != "" {
		what = append(what, task)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, n := mostOf(deeds, busiest.name); n > 0 {
		what = append(what, fmt.Sprintf("%d times %s", n, busiest.describe(d)))
	}
	if len(what) > 0 {
		said += ": " + strings.Join(what, ", ")
	}
	return said
}

func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

// mostOf is what a board has done most often.
func mostOf(deeds map[deed]int, board string) (most deed, n int) {
	for d, k := range deeds {
		if d.board == board && (k > n || k == n && compareDeeds(d, most) < 0) {
			most, n = d, k
		}
	}
	return most, n
}

func compareDeeds(a, b deed) int {
	return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.part, b.part), strings.Compare(a.addr, b.addr))
}

// task names the program that a board's kernel has run last, in virtual time.
func (m *Machine) task() (task string) {
	m.domain.Look(func() {
		if m.guest == nil {
			return
		}
		if pid, name := m.guest.Task(); pid != 0 {
			task = fmt.Sprintf("%s (PID %d)", name, pid)
		}
	})
	return task
}

// describe says in words what a deed is, with the chip that it is done to.
func (m *Machine) describe(d deed) string {
	at := d.part
	if at == "" {
		at = m.name
	}
	if d.addr == "" {
		return fmt.Sprintf("%s on %s", d.kind, at)
	}
	for _, p := range m.board.Parts() {
		if address, ok := p.Mount.Key("address"); ok && p.Provider == d.part && address.Format(p.Options.Get("address")) == d.addr {
			return fmt.Sprintf("%s with %s (%s) on %s", d.kind, p.Name, d.addr, at)
		}
	}
	return fmt.Sprintf("%s with %s on %s", d.kind, d.addr, at)
}

// Doing says, for people, what takes an appliance its time in virtual time; nothing
// if it gets on.
func (r *Running) Doing() string {
	if r.watchdog == nil || !r.watchdog.slow.Load() {
		return ""
	}
	return r.watchdog.text()
}
