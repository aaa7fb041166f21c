// Package placement says on which of the host's CPUs boards run.
package placement

import (
	"math"
	"slices"
	"sync"
	"time"

	"backplane/guest"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// Placement keeps boards, in real time, each on one of the host's CPUs: its
// kernel, the processes of its user space, and the thread that drives its devices.
// With one CPU they only ever work in turns, and they wake each other all the
// time; left to itself the host wakes each on a CPU that is idle, which costs
// several times as much. docs/benchmarks.md has figures.
//
// A board that has to wait for somebody who is none of ours gets its freedom, and
// is tried again later; one on a CPU with others of ours moves to one that has less
// to do. Boards with several CPUs are free. Boards of one domain stay together.
type Placement struct {
	cpus []int // those that this program may use: simbus.HostCPUs
	all  unix.CPUSet

	mu     sync.Mutex
	places map[*simbus.Domain]*place
	end    chan struct{}
	done   chan struct{}
}

// place is where a domain's boards are.
type place struct {
	order   int // among the places
	cpu     int // free if -1
	last    int // where a free one's kernel ran last, -1 if that is not known
	retry   time.Time
	pause   time.Duration // how long they are free the next time
	thread  *thread       // that drives their devices
	kernels []*kernel
}

// kernel is a board's that runs. The processes of its user space, of which one
// runs at a time, are looked at only while it is suspected to wait for strangers,
// since they can be many.
type kernel struct {
	*thread
	suspect    bool       // to wait for strangers, in the last period
	userBefore guest.Load // if it is
	user       guest.Load // in the last period, if it was suspected at its beginning
	certain    bool       // it was
}

// thread is one whose load is looked at, and what that was since the last look.
type thread struct {
	id     int
	file   *guest.LoadFile
	before guest.Load
	guest.Load
}

const (
	lookEvery  = 100 * time.Millisecond
	firstPause = time.Second
	longPause  = time.Minute
	// A kernel may wait for strangers this part of the time that it runs itself,
	// or of all time.
	crowded, noise = 0.5, 0.005
	// full and roomy are when a CPU gives a board away, and when one takes it.
	full, roomy = 0.9, 0.5
)

// New is nil where there is nothing to choose, which can be used as any other.
func New() *Placement {
	p := &Placement{cpus: simbus.HostCPUs(), places: make(map[*simbus.Domain]*place), end: make(chan struct{}), done: make(chan struct{})}
	if len(p.cpus) < 2 {
		return nil
	}
	for _, cpu := range p.cpus {
		p.all.Set(cpu)
	}
	go p.run()
	return p
}

// Close ends it, when all boards are off.
func (p *Placement) Close() {
	if p != nil {
		close(p.end)
		<-p.done
	}
}

// Add places a board, the number-th of so many, whose kernel of that process ID has just
// been started. It is called on the board's domain. On a host that does not tell how
// long a thread waits for a CPU the board is left alone.
func (p *Placement) Add(d *simbus.Domain, pid, number, of int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.places[d]
	if at == nil {
		t := openThread(d.Thread())
		if t == nil {
			return
		}
		// Neighbours share a CPU if boards must: they are likely to have to do with each other.
		at = &place{order: number, cpu: p.cpus[number*len(p.cpus)/of], pause: firstPause, thread: t}
		p.places[d] = at
	}
	if t := openThread(pid); t != nil {
		at.kernels = append(at.kernels, &kernel{thread: t})
		p.put(at, at.cpu)
	}
}

// Remove forgets a board whose kernel has ended.
func (p *Placement) Remove(d *simbus.Domain, pid int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.places[d]
	if at == nil {
		return
	}
	at.kernels = slices.DeleteFunc(at.kernels, func(k *kernel) bool {
		if k.id == pid {
			k.file.Close()
		}
		return k.id == pid
	})
	if len(at.kernels) == 0 {
		p.put(at, -1)
		at.thread.file.Close()
		delete(p.places, d)
	}
}

// put keeps a place on a CPU, or nowhere if that is -1.
func (p *Placement) put(at *place, cpu int) {
	set := p.all
	if cpu >= 0 {
		set.Zero()
		set.Set(cpu)
	}
	at.cpu = cpu
	_ = unix.SchedSetaffinity(at.thread.id, &set) // slower without, and right all the same
	for _, k := range at.kernels {
		_ = guest.Keep(k.id, &set)
	}
}

func openThread(id int) *thread {
	file, err := guest.OpenLoad(id)
	if err != nil {
		return nil
	}
	t := &thread{id: id, file: file}
	t.look()
	return t
}

// look brings the load up to date. A thread that has ended has none.
func (t *thread) look() {
	now, err := t.file.Read()
	if err != nil {
		now = t.before
	}
	t.Load = guest.Load{Ran: now.Ran - t.before.Ran, Waited: now.Waited - t.before.Waited}
	t.before = now
}

func (p *Placement) run() {
	defer close(p.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	before := time.Now()
	for {
		select {
		case <-p.end:
			return
		case <-tick.C:
		}
		now := time.Now()
		p.look(now, now.Sub(before))
		before = now
	}
}

// look goes over all places once.
func (p *Placement) look(now time.Time, passed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var places []*place
	for _, at := range p.places {
		at.thread.look()
		for _, k := range at.kernels {
			k.look()
			k.lookAtUser(at.cpu)
			if at.cpu < 0 && now.After(at.retry) {
				at.last = guest.LastCPU(k.id)
			}
		}
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b *place) int { return a.order - b.order })
	for at, cpu := range decide(places, p.cpus, now, passed) {
		p.put(at, cpu)
	}
	for _, at := range places {
		for _, k := range at.kernels {
			if k.suspect && !k.certain {
				k.userBefore = guest.UserLoad(k.id, at.cpu)
			}
		}
	}
}

// lookAtUser brings user up to date: of the processes on the kernel's CPU, since a kernel
// may have those that call it all the time on another.
func (k *kernel) lookAtUser(cpu int) {
	if k.certain, k.user = k.suspect, (guest.Load{}); k.suspect {
		now := guest.UserLoad(k.id, cpu)
		k.user = guest.Load{Ran: max(0, now.Ran-k.userBefore.Ran), Waited: max(0, now.Waited-k.userBefore.Waited)}
		k.userBefore = now
	}
}

// ran is how long all of a place's threads have run, as far as it is known.
func (at *place) ran() time.Duration {
	sum := at.thread.Ran
	for _, k := range at.kernels {
		sum += k.Ran + k.user.Ran
	}
	return sum
}

// decide says which places change their CPU, to -1 for none, by what their threads
// did in the time that has passed.
func decide(places []*place, cpus []int, now time.Time, passed time.Duration) map[*place]int {
	part := func(d time.Duration) float64 { return float64(d) / float64(passed) }
	load := make(map[int]float64) // of each CPU, by places
	for _, at := range places {
		if at.cpu >= 0 {
			load[at.cpu] += part(at.ran())
		}
	}
	moves := make(map[*place]int)
	for _, at := range places {
		if at.cpu < 0 {
			if now.After(at.retry) {
				to := least(cpus, load)
				if slices.Contains(cpus, at.last) && load[at.last] < roomy {
					to = at.last // the host has found it the best
				}
				moves[at] = to
				load[to] += part(at.ran())
			}
			continue
		}
		strange := func(l guest.Load) bool {
			ours := load[at.cpu] - part(l.Ran) // what the others of ours on this CPU explain
			return part(l.Waited)-ours > max(noise, crowded*part(l.Ran))
		}
		strangers := false
		for _, k := range at.kernels {
			k.suspect = strange(k.Load) || strange(k.user)
			strangers = strangers || k.suspect && k.certain
		}
		if strangers {
			moves[at] = -1
			at.retry, at.pause = now.Add(at.pause), min(2*at.pause, longPause)
		} else {
			at.pause = max(firstPause, at.pause-passed/10) // trusted again, slowly
		}
	}
	if len(moves) > 0 {
		return moves
	}
	to := least(cpus, load)
	var small *place
	for _, at := range places {
		if at.cpu < 0 || load[at.cpu] < full || load[to] > roomy {
			continue
		}
		mine := part(at.ran())
		if mine > 0.1 && mine < load[at.cpu]-load[to] && (small == nil || at.ran() < small.ran()) {
			small = at
		}
	}
	if small != nil {
		moves[small] = to
	}
	return moves
}

// least is the CPU with the smallest load.
func least(cpus []int, load map[int]float64) (cpu int) {
	best := math.Inf(1)
	for _, c := range cpus {
		if load[c] < best {
			best, cpu = load[c], c
		}
	}
	return cpu
}
