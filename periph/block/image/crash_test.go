package image

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// crashFile is a file on a host that can crash: of what was not synced, some sectors are
// there then and others not. It stops at the write with the number stop.
type crashFile struct {
	now, synced []byte
	writes      int
	stop        int // -1: never
	chance      *rand.Rand
}

var errCrash = errors.New("the host crashes")

func newCrashFile(size int64, chance *rand.Rand) *crashFile {
	return &crashFile{now: make([]byte, size), synced: make([]byte, size), stop: -1, chance: chance}
}

func (f *crashFile) step() error {
	f.writes++
	if f.stop >= 0 && f.writes > f.stop {
		return errCrash
	}
	return nil
}

func (f *crashFile) readv(parts [][]byte, off int64) error {
	for _, p := range parts {
		off += int64(copy(p, f.now[off:]))
	}
	return nil
}

func (f *crashFile) writev(parts [][]byte, off int64) error {
	for p := bytes.Join(parts, nil); len(p) > 0; {
		if err := f.step(); err != nil {
			return err
		}
		n := copy(f.now[off:], p[:min(len(p), 8*SectorSize)]) // no less than a sector, which no disk tears
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (f *crashFile) punch(off, n int64) error {
	if err := f.step(); err != nil {
		return err
	}
	clear(f.now[off : off+n])
	return nil
}

func (f *crashFile) sync() error {
	if err := f.step(); err != nil {
		return err
	}
	copy(f.synced, f.now)
	return nil
}

func (f *crashFile) close() error { return nil }

// crash is what is left of the file.
func (f *crashFile) crash() *crashFile {
	after := newCrashFile(int64(len(f.now)), f.chance)
	for i := 0; i < len(f.now); i += SectorSize {
		from := f.synced
		if f.chance.IntN(2) == 0 {
			from = f.now
		}
		copy(after.now[i:i+SectorSize], from[i:])
	}
	copy(after.synced, after.now)
	return after
}

// memory is an image in memory.
type memory []byte

func (m memory) Size() int64  { return int64(len(m)) }
func (m memory) Close() error { return nil }
func (m memory) ReadV(parts [][]byte, off int64) error {
	for _, p := range parts {
		off += int64(copy(p, m[off:]))
	}
	return nil
}

const testBlocks = 20

// world is an overlay beside a plain slice of bytes.
type world struct {
	f     *crashFile
	o     *Overlay
	c     *Cache
	base  memory
	plain []byte
	// could are, by unit, the values that it can have after a crash: what it was when
	// it was last flushed, and since. A unit is what is written whole or not at all.
	could map[int64][][]byte
	unit  int64
}

func newWorld(t *rapid.T, limit int64) *world {
	size := testBlocks*BlockSize - int64(rapid.IntRange(0, 7).Draw(t, "short"))*SectorSize
	chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "chance"), 0))
	w := &world{base: make(memory, int64(rapid.IntRange(1, int(size/SectorSize)).Draw(t, "base"))*SectorSize), plain: make([]byte, size), could: make(map[int64][][]byte), unit: SectorSize}
	for i := range w.base {
		w.base[i] = byte(i/SectorSize) | 1
	}
	copy(w.plain, w.base)
	h := header{disk: size, base: base{name: "base", size: w.base.Size()}}
	w.f = newCrashFile(h.fileSize(), chance)
	if err := h.put(w.f); err != nil {
		t.Fatal(err)
	}
	w.o = newOverlay(w.f, h, w.base)
	w.c = NewCache(w.o, limit)
	w.flushed()
	return w
}

// flushed lets each unit be what it is.
func (w *world) flushed() {
	clear(w.could)
	for i := range w.units(w.plain) {
		w.could[i] = [][]byte{bytes.Clone(w.part(w.plain, i))}
	}
}

func (w *world) units(b []byte) int64 { return (int64(len(b)) + w.unit - 1) / w.unit }

func (w *world) part(b []byte, i int64) []byte { return b[i*w.unit : min(int64(len(b)), (i+1)*w.unit)] }

// place draws some sectors.
func (w *world) place(t *rapid.T) (off, n int64) {
	sectors := len(w.plain) / SectorSize
	first := rapid.IntRange(0, sectors-1).Draw(t, "first")
	count := rapid.IntRange(1, min(sectors-first, 40)).Draw(t, "count")
	return int64(first) * SectorSize, int64(count) * SectorSize
}

// act does something to both.
func (w *world) act(t *rapid.T) error {
	off, n := w.place(t)
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op < 5:
		data := bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "data"))}, int(n))
		cut := rapid.IntRange(0, int(n)).Draw(t, "cut")
		w.change(off, data)
		return w.c.WriteV([][]byte{data[:cut], data[cut:]}, off, false)
	case op < 7:
		w.change(off, make([]byte, n))
		return w.c.Zero(off, n, false)
	case op < 8:
		if err := w.o.Flush(); err != nil {
			return err
		}
		w.c.Settle()
		w.flushed()
	default:
		got := make([]byte, n)
		if err := w.c.ReadV([][]byte{got[:n/3], got[n/3:]}, off); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, w.plain[off:off+n]) {
			t.Fatalf("%d bytes at %d are not what was written", n, off)
		}
	}
	return nil
}

func (w *world) change(off int64, data []byte) {
	copy(w.plain[off:], data)
	for i := off / w.unit; i*w.unit < off+int64(len(data)); i++ {
		w.could[i] = append(w.could[i], bytes.Clone(w.part(w.plain, i)))
	}
}

// reopened is what the file has, as the next program finds it.
func reopened(t *rapid.T, f file, below Source) []byte {
	h, err := headerOf(f)
	if err != nil {
		t.Fatal(err)
	}
	o := newOverlay(f, *h, below)
	if err := errors.Join(o.has.read(f), o.check()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, o.Size())
	if err := o.ReadV([][]byte{got}, 0); err != nil {
		t.Fatal(err)
	}
	return got
}

// holds wants each unit to be one that it can be.
func (w *world) holds(t *rapid.T, got []byte) {
	for i := range w.units(got) {
		one, good := w.part(got, i), false
		for _, c := range w.could[i] {
			good = good || bytes.Equal(c, one)
		}
		if !good {
			t.Fatalf("the %d bytes from %d on are % x..., none of the %d that they can be", len(one), i*w.unit, one[:4], len(w.could[i]))
		}
	}
}

// TestCrash has the host crash at any write of its file: what was flushed is there, and
// each other sector is as it was at some moment since.
func TestCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 1<<40)
		w.f.writes, w.f.stop = 0, rapid.IntRange(0, 60).Draw(t, "stop")
		for range 40 {
			if err := w.act(t); err != nil {
				break
			}
		}
		w.holds(t, reopened(t, w.f.crash(), w.base))
	})
}

// TestPlain: an overlay that is closed in order has all, whatever was done.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, int64(rapid.IntRange(0, 5).Draw(t, "limit"))*BlockSize)
		for range 40 {
			if err := w.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.o.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(reopened(t, w.f.crash(), w.base), w.plain) {
			t.Fatal("after a flush it is not what was written")
		}
	})
}

// TestCut: without tearing a power cut takes exactly what was not flushed; with it each
// block is what was flushed, or what it was after a write since, and some are.
func TestCut(t *testing.T) {
	for _, torn := range []bool{false, true} {
		kept := 0
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t, 1<<40)
			w.unit = BlockSize
			w.flushed()
			var chance *rand.Rand
			if torn {
				chance = w.f.chance
			}
			for range 3 {
				for range 15 {
					if err := w.act(t); err != nil {
						t.Fatal(err)
					}
				}
				lost, err := w.c.Cut(chance)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, w.o.Size())
				if err := w.o.ReadV([][]byte{got}, 0); err != nil {
					t.Fatal(err)
				}
				w.holds(t, got)
				for i := range w.units(got) {
					if !bytes.Equal(w.could[i][0], w.part(got, i)) {
						kept++
					}
				}
				if changed := !bytes.Equal(got, w.plain); changed && lost == 0 {
					t.Fatal("nothing is lost, and something has changed")
				}
				copy(w.plain, got)
				w.flushed()
			}
		})
		if (kept > 0) != torn {
			t.Errorf("torn %t: %d blocks are not what was flushed", torn, kept)
		}
	}
}

// TestSmallCache: what is more than the cache holds has reached the medium, the oldest first.
func TestSmallCache(t *testing.T) {
	w := newOverlay(newCrashFile(1<<20, nil), header{disk: 8 * BlockSize}, nil)
	c := NewCache(w, 2*BlockSize)
	block := make([]byte, BlockSize)
	for i := range int64(4) {
		block[0] = byte(i + 1)
		if err := c.WriteV([][]byte{block}, i*BlockSize, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Unflushed(); n != 2*BlockSize {
		t.Errorf("%d bytes are in the cache", n)
	}
	if lost, err := c.Cut(nil); err != nil || lost != 2*BlockSize {
		t.Errorf("%d bytes are lost, %v", lost, err)
	}
	for i, want := range []byte{1, 2, 0, 0} {
		if err := w.ReadV([][]byte{block}, int64(i)*BlockSize); err != nil || block[0] != want {
			t.Errorf("block %d has %d, %v; want %d", i, block[0], err, want)
		}
	}
}

// medium is a raw image on a host that can crash.
type medium struct{ *crashFile }

func (m medium) WriteV(parts [][]byte, off int64) error { return m.writev(parts, off) }
func (m medium) Flush() error                           { return m.sync() }
func (m medium) Close() error                           { return nil }
func (m medium) Size() int64                            { return int64(len(m.now)) }
func (m medium) ReadV(parts [][]byte, off int64) error  { return m.readv(parts, off) }

// TestCommitCrash has the host crash while an overlay is committed: a second commit ends it.
func TestCommitCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 1<<40)
		for range 20 {
			if err := w.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.o.Flush(); err != nil {
			t.Fatal(err)
		}
		to := medium{newCrashFile(int64(len(w.plain)), w.f.chance)}
		copy(to.now, w.base)
		copy(to.synced, w.base)
		w.f.writes, w.f.stop = 0, rapid.IntRange(-1, 12).Draw(t, "stop")
		to.stop = rapid.IntRange(-1, 40).Draw(t, "stop of the image")
		at := func() (base, error) { return base{name: "base", size: 77}, nil }
		err := w.o.commit(t.Context(), to, at)
		w.f, to = w.f.crash(), medium{to.crash()}
		h, e := headerOf(w.f)
		if e != nil {
			t.Fatal(e)
		}
		o := newOverlay(w.f, *h, to)
		if e := errors.Join(o.has.read(w.f), o.check()); e != nil {
			t.Fatal(e)
		}
		if err != nil && h.committing {
			if err := o.commit(t.Context(), to, at); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(w.plain))
		if err := o.ReadV([][]byte{got}, 0); err != nil || !bytes.Equal(got, w.plain) {
			t.Fatalf("its contents are others now: %v", err)
		}
		if err == nil && (h.committing || o.Allocated() != 0 || h.base.size != 77) {
			t.Fatalf("a whole commit leaves %+v and %d bytes", h, o.Allocated())
		}
	})
}

// TestRebaseCrash has the host crash while an overlay is put over another image: it is
// whole, over the one or the other.
func TestRebaseCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 1<<40)
		for range 10 {
			if err := w.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.o.Flush(); err != nil {
			t.Fatal(err)
		}
		other := bytes.Clone(w.base)
		for range 5 {
			other[w.f.chance.IntN(len(other))]++
		}
		w.f.writes, w.f.stop = 0, rapid.IntRange(-1, 20).Draw(t, "stop")
		err := w.o.copyDifferent(t.Context(), memory(other))
		to := w.o.head
		if to.name = "other"; err == nil {
			err = to.put(w.f)
		}
		f := w.f.crash()
		h, e := headerOf(f)
		if e != nil {
			t.Fatal(e)
		}
		below := w.base
		if h.name == "other" {
			below = memory(other)
		} else if err == nil {
			t.Fatal("it is over the old image")
		}
		if !bytes.Equal(reopened(t, f, below), w.plain) {
			t.Fatalf("over %s its contents are others now", h.name)
		}
	})
}
