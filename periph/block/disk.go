package block

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"backplane/periph/block/image"
	"backplane/periph/virtio"
	"backplane/simbus"
)

// Options are what a disk is like.
type Options struct {
	Serial   string // at most 20 bytes, which the guest finds in /sys/block/vda/serial
	ReadOnly bool
	Cache    int64 // of writes, in bytes; 0: there is none
	Torn     bool  // a power cut leaves some blocks of what was not flushed
	Timing   Timing
	Clock    simbus.Clock
	Rand     *rand.Rand
	// Post is nil in virtual time. In real time it calls a function on the board's goroutine.
	Post func(f func())
	// Failed, if set, is told why the disk has refused a request. Lost is told how many
	// bytes of blocks a power cut has taken. Both are called on the board's goroutine.
	Failed func(op string, sector int64, why string)
	Lost   func(bytes int64)
}

// Disk is one disk. It is a [virtio.Device], and needs contents before it has a driver.
type Disk struct {
	virtio.Plain
	faults
	name     string
	o        Options
	serial   string
	size     int64
	config   [configSize]byte
	contents *image.Cache
	durable  bool // what is flushed is kept by the host, too
	schedule *schedule

	queue        *virtio.Queue // nil while there is no driver
	turnsOff     bool          // and can switch the cache off
	switchedOff  bool          // one has, since there is power
	writeThrough atomic.Bool   // there is no cache for this one
	underWay     int
	waiting      []*request // for their time
	spare        []*request
	run          atomic.Uint64 // how many drivers have come and gone
	workers
}

var (
	_ virtio.Device  = (*Disk)(nil)
	_ virtio.Drainer = (*Disk)(nil)
)

// New makes a disk without contents.
func New(name string, o Options) *Disk {
	d := &Disk{Plain: virtio.NewPlain(name, virtio.IDBlock, 1), name: name, o: o, serial: o.Serial, schedule: newSchedule(o.Timing)}
	d.readOnly = o.ReadOnly
	return d
}

// Insert gives the disk its contents, which it closes. If they are durable, the host keeps
// them: what the guest flushes is on the host's disk then.
func (d *Disk) Insert(o *image.Overlay, durable bool) {
	d.contents, d.durable, d.size = image.NewCache(o, d.o.Cache), durable, o.Size()
	le, c := binary.LittleEndian, d.config[:]
	le.PutUint64(c[configCapacity:], uint64(d.size/sectorSize))
	le.PutUint32(c[configSegMax:], maxSegments)
	le.PutUint32(c[configBlockSize:], sectorSize)
	c[configPhysicalExp] = physicalExp
	le.PutUint16(c[configMinIO:], alignment)
	c[configWriteback] = 1
	le.PutUint32(c[configMaxDiscard:], maxErase)
	le.PutUint32(c[configMaxDiscardSeg:], maxEraseSegments)
	le.PutUint32(c[configDiscardAlign:], alignment)
	le.PutUint32(c[configMaxZeroes:], maxErase)
	le.PutUint32(c[configMaxZeroesSeg:], maxEraseSegments)
	c[configZeroesMayUnmap] = 1
}

// Features are the disk's: without a cache there is nothing to flush, and what is
// read-only is not erased.
func (d *Disk) Features() uint64 {
	f := uint64(featureSegMax | featureBlockSize | featureTopology)
	if d.o.ReadOnly {
		return f | featureReadOnly
	}
	f |= featureDiscard | featureWriteZeroes
	if d.o.Cache > 0 {
		f |= featureFlush | featureConfigWCE
	}
	return f
}

// Config is the disk's size, and what its requests can be.
func (d *Disk) Config() []byte { return d.config[:] }

// SetConfig switches the cache.
func (d *Disk) SetConfig(offset int, data []byte) error {
	if !d.turnsOff || offset != configWriteback || len(data) != 1 || data[0] > 1 {
		return fmt.Errorf("%s: write of % x to the configuration space at %d, where only the cache can be switched", d.name, data[:min(len(data), 8)], offset)
	}
	d.switchedOff = data[0] == 0
	d.switchCache(true)
	return nil
}

// switchCache lets the cache be as drivers have left it, however many have come and gone:
// the mode after a reset may be either, and Linux does not set it again when it wakes up
// (section 5.2.5, Linux virtblk_restore). A driver that cannot flush relies on what it has
// written (section 5.2.6.2).
func (d *Disk) switchCache(flushes bool) {
	through := !flushes || d.turnsOff && d.switchedOff
	d.config[configWriteback] = 1
	if through {
		d.config[configWriteback] = 0
	}
	d.writeThrough.Store(through)
}

// Start takes the queue.
func (d *Disk) Start(features uint64, queues []*virtio.Queue) error {
	if err := d.Started(queues, 1); err != nil {
		return err
	}
	if d.contents == nil {
		return fmt.Errorf("%s: the disk has no contents", d.name)
	}
	d.queue, d.underWay = queues[0], 0
	d.turnsOff = features&featureConfigWCE != 0
	d.switchCache(features&featureFlush != 0)
	if d.o.Post != nil {
		d.workers.start(d.work)
	}
	return nil
}

// Kick takes requests.
func (d *Disk) Kick(int) error {
	if d.queue == nil {
		return nil
	}
	if err := d.queue.Serve(d.take); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

// Drain carries out and answers all that is under way.
func (d *Disk) Drain() {
	if d.queue == nil {
		return
	}
	d.pending.Wait()
	d.collect()
	for len(d.waiting) > 0 {
		d.finish(d.waiting[0])
	}
}

// Stop forgets what is under way. What of that has begun ends before Stop returns.
func (d *Disk) Stop() {
	if d.queue == nil {
		return
	}
	d.queue = nil
	d.run.Add(1)
	if d.o.Post != nil {
		d.workers.stop()
	}
	d.schedule.reset()
}

// Power takes what was not flushed when it goes, and switches the cache on.
func (d *Disk) Power(on bool) {
	if on || d.contents == nil {
		return
	}
	d.switchedOff, d.config[configWriteback] = false, 1
	var torn *rand.Rand
	if d.o.Torn {
		torn = d.o.Rand
	}
	lost, err := d.contents.Cut(torn)
	if err != nil {
		d.tell(opCut, 0, err.Error())
	}
	if lost > 0 && d.o.Lost != nil {
		d.o.Lost(lost)
	}
}

// Close lets go of the contents: the power goes as well. The disk may get others.
func (d *Disk) Close() (err error) {
	if d.contents == nil {
		return nil
	}
	d.Power(false)
	if d.durable {
		err = d.contents.Flush()
	}
	if e := d.contents.Close(); err == nil {
		err = e
	}
	d.contents = nil
	return err
}

func (d *Disk) tell(op string, sector int64, why string) {
	if d.o.Failed != nil {
		d.o.Failed(op, sector, why)
	}
}

// through tells whether what is written has to be on the medium when the driver is told.
func (d *Disk) through() bool { return d.writeThrough.Load() && !d.lies() }

// written ends a write.
func (d *Disk) written() error {
	if d.durable && d.through() {
		return d.contents.Flush()
	}
	return nil
}

// flush puts what is in the cache on the medium.
func (d *Disk) flush() error {
	if d.lies() {
		return nil
	}
	if d.durable {
		if err := d.contents.Flush(); err != nil {
			return err
		}
	}
	d.contents.Settle()
	return nil
}

// start lets a request be carried out: at its time, or soon.
func (d *Disk) start(r *request) {
	if d.o.Post != nil {
		d.pending.Add(1)
		d.queued <- r
		return
	}
	d.wait(r, d.when(r).Add(d.delay()))
}

// wait lets a request be finished at its time.
func (d *Disk) wait(r *request, t simbus.Time) {
	d.waiting = append(d.waiting, r)
	r.timer = d.o.Clock.At(t, r.due)
}

// when is when a request is done, in virtual time.
func (d *Disk) when(r *request) simbus.Time {
	now, t := d.o.Clock.Now(), &d.schedule.Timing
	switch {
	case r.status != statusNone || r.kind == typeID:
		return now
	case r.kind == typeFlush:
		return d.schedule.flush(now)
	case r.kind == typeIn:
		return d.schedule.access(now, t.ReadLatency, r.length, t.ReadRate)
	case r.kind == typeOut:
		return d.schedule.access(now, t.WriteLatency, r.length, t.WriteRate)
	}
	return d.schedule.access(now, t.WriteLatency, 0, t.WriteRate)
}

// finish carries a request out at its time, unless a worker has.
func (d *Disk) finish(r *request) {
	if i := slices.Index(d.waiting, r); i >= 0 {
		d.waiting = slices.Delete(d.waiting, i, i+1)
		r.timer.Stop()
	}
	if r.run != d.run.Load() { // its driver has gone
		d.recycle(r)
		return
	}
	r.carryOut()
	queue := r.queue
	if err := d.complete(r); err != nil {
		queue.Fail(fmt.Errorf("%s: %w", d.name, err))
		return
	}
	queue.Notify()
}

// complete answers a request. The driver is not interrupted yet.
func (d *Disk) complete(r *request) error {
	d.underWay--
	d.count(r)
	if r.status == statusIOError && r.why != "" {
		d.tell(r.op(), r.sector, r.why)
	}
	err := r.err
	if err == nil {
		err = virtio.Guard(r.replying)
	}
	d.recycle(r)
	return err
}

func (d *Disk) recycle(r *request) {
	r.chain, r.queue = nil, nil
	d.spare = append(d.spare, r)
}
