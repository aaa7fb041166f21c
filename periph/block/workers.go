package block

import (
	"sync"

	"backplane/periph/virtio"
)

// workers carry requests out in real time.
type workers struct {
	queued  chan *request
	running sync.WaitGroup
	pending sync.WaitGroup // requests that were queued and are not done

	mu   sync.Mutex
	done []*request
}

// crew is how many there are: reads go on while another waits for the host's disk.
const crew = 4

func (w *workers) start(work func(in <-chan *request)) {
	w.queued = make(chan *request, virtio.MaxQueueSize)
	for range crew {
		w.running.Add(1)
		go func() {
			defer w.running.Done()
			work(w.queued)
		}()
	}
}

func (w *workers) stop() {
	close(w.queued)
	w.running.Wait()
	w.done = nil
}

// work is what each does.
func (d *Disk) work(in <-chan *request) {
	for r := range in {
		if r.run == d.run.Load() {
			d.carriedOut(r)
		}
		d.pending.Done()
	}
}

func (d *Disk) carriedOut(r *request) {
	r.carryOut()
	d.mu.Lock()
	d.done = append(d.done, r)
	first := len(d.done) == 1
	d.mu.Unlock()
	if first {
		d.o.Post(d.collect)
	}
}

// collect answers what the workers have done, after the delay that the outside has set.
func (d *Disk) collect() {
	d.mu.Lock()
	done := d.done
	d.done = nil
	d.mu.Unlock()
	wait := d.delay()
	for _, r := range done {
		if wait > 0 {
			d.wait(r, d.o.Clock.Now().Add(wait))
		} else {
			d.finish(r)
		}
	}
}
