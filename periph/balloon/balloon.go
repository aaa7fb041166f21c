// Package balloon takes memory from a guest that runs, and gives it back: a virtio-balloon
// device (virtio 1.2 section 5.5; Linux drivers/virtio/virtio_balloon.c). The guest puts
// pages that it has no need of into the balloon, as many as it is asked for; it also reports
// pages that are free, and may use those again at any time. Either way the host has them back:
// they are punched out of the file that the guest's memory is in, and are zeros when they are used again.
package balloon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"backplane/periph"
	"backplane/periph/virtio"

	"golang.org/x/sys/unix"
)

// Feature bits of the device (section 5.5.3).
const featureReporting = 1 << 5

// Queues (section 5.5.2). Those of features that are not offered, statistics and hints, have no number; Linux makes sure
// of as many queues as there could be.
const (
	queueInflate = iota
	queueDeflate
	queueReporting
	queues = 5
)

// Offsets in the configuration space (section 5.5.4).
const (
	configNumPages = 0
	configActual   = 4
	configSize     = 8
)

// pageSize is that of pages in the balloon, whatever the guest's or the host's (section 5.5.6).
const pageSize = 4096

// maxPages is how many page numbers a buffer may have. Linux sends 256.
const maxPages = 64 << 10

// maxTries is how often in a row a guest may find no page that it can do without before it is
// asked no more. Linux tries five times a second.
const maxTries = 5

// spare is how many pages such a guest has back: it has none left to run a program with, and would look for some for ever.
const spare = 8 << 20 / pageSize

// Balloon is a guest's balloon. It is a [virtio.Device] and a [periph.Reclaimer].
type Balloon struct {
	virtio.Plain
	env     *periph.Env
	queues  []*virtio.Queue // nil before the driver is ready
	config  [configSize]byte
	tries   int  // in a row that brought nothing
	gaveUp  bool // after as many as it may take
	changed func(enough bool)
	numbers []byte // room for a buffer's page numbers
	pages   []uint32
}

var (
	_ virtio.Device    = (*Balloon)(nil)
	_ periph.Reclaimer = (*Balloon)(nil)
)

// New makes a balloon with nothing in it.
func New(env *periph.Env) *Balloon {
	return &Balloon{Plain: virtio.NewPlain(env.Name, virtio.IDBalloon, queues), env: env, changed: func(bool) {}}
}

// Features are the device's own. A guest adjusts its total memory, since it is not to take pages back for want of
// memory (VIRTIO_BALLOON_F_DEFLATE_ON_OOM). It reports what is free in real time only: in virtual time two seconds,
// after which it does, are soon over.
func (b *Balloon) Features() uint64 {
	if b.env.Post == nil {
		return 0
	}
	return featureReporting
}

// Config is how many pages the balloon is to have, and how many it has.
func (b *Balloon) Config() []byte { return b.config[:] }

func (b *Balloon) number(at int) uint32     { return binary.LittleEndian.Uint32(b.config[at:]) }
func (b *Balloon) put(at int, pages uint32) { binary.LittleEndian.PutUint32(b.config[at:], pages) }

// SetConfig takes how many pages there are in the balloon. Linux writes that after each try.
func (b *Balloon) SetConfig(offset int, data []byte) error {
	if offset != configActual || len(data) != 4 {
		return fmt.Errorf("%s: write of %d bytes at %d of the configuration space, of which only 4 at %d can be", b.env.Name, len(data), offset, configActual)
	}
	before := b.number(configActual)
	copy(b.config[configActual:], data)
	switch has, target := b.number(configActual), b.number(configNumPages); {
	case has == target:
		b.changed(!b.gaveUp)
	case has > before || has > target:
		b.tries = 0
	default:
		if b.tries++; b.tries == maxTries {
			b.gaveUp = true
			b.ask(has - min(has, spare))
		}
	}
	return nil
}

// ask says how many pages the balloon is to have.
func (b *Balloon) ask(pages uint32) {
	b.tries = 0
	b.put(configNumPages, pages)
	b.env.ConfigChanged()
}

// Reclaim implements [periph.Reclaimer].
func (b *Balloon) Reclaim(bytes int64) error {
	if b.queues == nil {
		return errors.New("its kernel has no balloon driver that is ready (CONFIG_VIRTIO_BALLOON)")
	}
	if bytes < 0 || bytes/pageSize > math.MaxUint32 {
		return fmt.Errorf("%d bytes cannot be in a balloon", bytes)
	}
	b.gaveUp = false
	b.ask(uint32(bytes / pageSize))
	return nil
}

// Reclaimed implements [periph.Reclaimer].
func (b *Balloon) Reclaimed() int64 { return int64(b.number(configActual)) * pageSize }

// Reset implements [periph.Reclaimer].
func (b *Balloon) Reset() { b.config, b.gaveUp = [configSize]byte{}, false }

// OnReclaimed implements [periph.Reclaimer].
func (b *Balloon) OnReclaimed(f func(enough bool)) { b.changed = f }

// Start takes the queues. That of reports is there if the driver knows of them.
func (b *Balloon) Start(_ uint64, queues []*virtio.Queue) error {
	if err := b.Started(queues, queueReporting); err != nil {
		return err
	}
	b.queues = queues
	return nil
}

// Stop lets go of the queues. Pages in the balloon are the guest's again: its driver asks for as many when it
// comes back, as after sleep.
func (b *Balloon) Stop() {
	b.queues = nil
	b.put(configActual, 0)
}

// Kick gives the host what the guest has put into the balloon, or reported as free.
func (b *Balloon) Kick(n int) error {
	if n >= len(b.queues) || b.queues[n] == nil {
		return nil
	}
	q := b.queues[n]
	serve := func(c *virtio.Chain) error { return nil } // of what leaves the balloon: the host gives pages to whoever writes to them
	switch n {
	case queueInflate:
		serve = func(c *virtio.Chain) error { return b.inflate(q, c) }
	case queueReporting:
		serve = free
	}
	err := q.Serve(func(c *virtio.Chain) (bool, error) {
		if err := serve(c); err != nil {
			return false, err
		}
		q.Done(c, 0)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", b.env.Name, err)
	}
	return nil
}

// inflate takes the pages whose numbers are in a buffer.
func (b *Balloon) inflate(q *virtio.Queue, c *virtio.Chain) error {
	n := c.ReadLen()
	if n%4 != 0 || n/4 > maxPages || c.WriteLen() > 0 {
		return fmt.Errorf("buffer of %d bytes to read and %d to write: must be up to %d page numbers of 4 bytes, only to read", n, c.WriteLen(), maxPages)
	}
	b.numbers = slices.Grow(b.numbers[:0], n)[:n]
	c.CopyOut(b.numbers, 0)
	b.pages = b.pages[:0]
	for i := 0; i < n; i += 4 {
		b.pages = append(b.pages, binary.LittleEndian.Uint32(b.numbers[i:]))
	}
	slices.Sort(b.pages)
	for at := 0; at < len(b.pages); {
		end := at + 1
		for end < len(b.pages) && b.pages[end] == b.pages[end-1]+1 {
			end++
		}
		memory, err := q.Memory(uint64(b.pages[at])*pageSize, uint64(end-at)*pageSize)
		if err == nil {
			err = punch(memory)
		}
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// free takes the pages that a buffer is made of, of which the guest says that it will not read what is in them.
func free(c *virtio.Chain) error {
	if c.ReadLen() > 0 {
		return fmt.Errorf("report of free pages with %d bytes to read", c.ReadLen())
	}
	for _, pages := range c.Writable {
		if err := punch(pages); err != nil {
			return err
		}
	}
	return nil
}

// punch gives whole pages of the guest's memory back to the host: they are zeros then. A host
// whose file system cannot do that keeps them.
func punch(memory []byte) error {
	if len(memory) == 0 {
		return nil
	}
	page := uintptr(unix.Getpagesize())
	if at := uintptr(unsafe.Pointer(&memory[0])); at%page != 0 || uintptr(len(memory))%page != 0 {
		return fmt.Errorf("%w: %d bytes of memory that are no whole pages", virtio.ErrBroken, len(memory))
	}
	_ = unix.Madvise(memory, unix.MADV_REMOVE)
	return nil
}
