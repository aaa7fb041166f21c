package balloon_test

import (
	"encoding/binary"
	"testing"

	"backplane/periph"
	"backplane/periph/balloon"
	"backplane/periph/virtio/virtiotest"

	"golang.org/x/sys/unix"
)

const page = 4096

// start is a guest with written memory, its balloon, and how often it was told that there is another target.
func start(t *testing.T) (m *virtiotest.Memory, d *virtiotest.Driver, b *balloon.Balloon, told *int) {
	told = new(int)
	b = balloon.New(&periph.Env{Name: "balloon", ConfigChanged: func() { *told++ }, Post: func(f func()) { f() }})
	m = virtiotest.NewMemory(t, 64*page)
	d = virtiotest.StartIn(t, m, b, 8, 0)
	for i := 32 * page; i < len(m.Data); i += page {
		m.Data[i] = 1
	}
	return m, d, b, told
}

// pages are how many the memory has on the host.
func pages(t *testing.T, m *virtiotest.Memory) int {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(m.FD, &st); err != nil {
		t.Fatal(err)
	}
	return int(st.Blocks * 512 / page)
}

// numbers are those of pages of the memory, from page number i on, as a buffer has them.
func numbers(list ...uint32) (b []byte) {
	for _, n := range list {
		b = binary.LittleEndian.AppendUint32(b, virtiotest.Base/page+n)
	}
	return b
}

func target(b *balloon.Balloon) uint32 { return binary.LittleEndian.Uint32(b.Config()) }

// has is the driver saying that so many pages are in the balloon.
func has(t *testing.T, b *balloon.Balloon, pages uint32) {
	t.Helper()
	if err := b.SetConfig(4, binary.LittleEndian.AppendUint32(nil, pages)); err != nil {
		t.Fatal(err)
	}
}

func TestReclaim(t *testing.T) {
	m, d, b, told := start(t)
	enough := 0
	b.OnReclaimed(func(e bool) {
		if enough++; !e {
			t.Error("it is not enough")
		}
	})
	if err := b.Reclaim(3 * page); err != nil || *told != 1 || target(b) != 3 {
		t.Errorf("%v; the guest was told %d times, and its target is %v", err, *told, b.Config())
	}
	before := pages(t, m)
	d.Rings[0].Add([][]byte{numbers(41, 40, 50, 41)}, nil)
	d.Kick(0)
	if d.Failure != nil || pages(t, m) != before-3 || m.Data[40*page] != 0 || m.Data[50*page] != 0 || m.Data[42*page] != 1 {
		t.Errorf("%v; the host has %d of %d pages", d.Failure, pages(t, m), before)
	}
	has(t, b, 1)
	has(t, b, 1)
	has(t, b, 3)
	if enough != 1 || b.Reclaimed() != 3*page {
		t.Errorf("%d bytes are in the balloon, and it was enough %d times", b.Reclaimed(), enough)
	}
	d.Rings[1].Add([][]byte{numbers(40)}, nil)
	d.Kick(1)
	if got := d.Rings[1].Results(); len(got) != 1 || d.Failure != nil {
		t.Errorf("a page is not let go: %v", d.Failure)
	}
	before = pages(t, m)
	if m.Data[41*page] = 1; pages(t, m) != before+1 {
		t.Errorf("a page that is used again is not there: the host has %d of %d", pages(t, m), before)
	}
}

// TestGoesAway: a driver that goes, for a sleep, has its pages back, and is asked for as many when it returns. Another
// kernel is asked for none.
func TestGoesAway(t *testing.T) {
	_, _, b, _ := start(t)
	if err := b.Reclaim(3 * page); err != nil {
		t.Fatal(err)
	}
	has(t, b, 3)
	b.Stop()
	if b.Reclaimed() != 0 || target(b) != 3 || b.Reclaim(page) == nil || target(b) != 3 {
		t.Errorf("without a driver %d bytes are in the balloon, and its target is %d pages", b.Reclaimed(), target(b))
	}
	b.Reset()
	if target(b) != 0 {
		t.Errorf("the next kernel is asked for %d pages", target(b))
	}
}

// TestTooMuch asks for more than the guest has: when it has come no further some times in a row, it is asked no more.
func TestTooMuch(t *testing.T) {
	_, _, b, told := start(t)
	var enough []bool
	b.OnReclaimed(func(e bool) { enough = append(enough, e) })
	for _, bytes := range []int64{-page, 1 << 44} {
		if b.Reclaim(bytes) == nil || target(b) != 0 {
			t.Errorf("it is asked for %d bytes", bytes)
		}
	}
	if err := b.Reclaim(10 * page); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint32{4, 4, 4, 4, 4, 6, 5, 5, 5, 5} {
		if has(t, b, n); len(enough) > 0 {
			t.Fatalf("given up at %d pages", n)
		}
	}
	if has(t, b, 5); len(enough) != 0 || target(b) != 0 || *told != 2 {
		t.Errorf("given up: %v; the target is %d pages, and the guest was told %d times", enough, target(b), *told)
	}
	if has(t, b, 0); len(enough) != 1 || enough[0] {
		t.Errorf("given up: %v", enough)
	}
}

// TestOffers: free pages are reported in real time only.
func TestOffers(t *testing.T) {
	for post, want := range map[bool]uint64{false: 0, true: 1 << 5} {
		env := &periph.Env{Name: "balloon"}
		if post {
			env.Post = func(func()) {}
		}
		if got := balloon.New(env).Features(); got != want {
			t.Errorf("in real time %t: features %#x, want %#x", post, got, want)
		}
	}
}

// TestFree reports pages of memory as free.
func TestFree(t *testing.T) {
	m, d, _, _ := start(t)
	before := pages(t, m)
	r := d.Rings[2]
	virtiotest.PutDesc(r.Desc, 0, virtiotest.Base+40*page, 4*page, virtiotest.Write|virtiotest.Next, 1)
	virtiotest.PutDesc(r.Desc, 1, virtiotest.Base+50*page, 2*page, virtiotest.Write, 0)
	r.Publish(0)
	d.Kick(2)
	if d.Failure != nil || pages(t, m) != before-6 || m.Data[43*page] != 0 || m.Data[44*page] != 1 {
		t.Errorf("%v; the host has %d of %d pages", d.Failure, pages(t, m), before)
	}
}

// TestBadDrivers: what no driver may do takes nothing from the host, and ends the device.
func TestBadDrivers(t *testing.T) {
	for name, queue := range map[string]func(d *virtiotest.Driver) (kick int){
		"half a number":         func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{{1, 2}}, nil); return 0 },
		"a buffer to write":     func(d *virtiotest.Driver) int { d.Rings[0].Add(nil, []int{4}); return 0 },
		"no page of its":        func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{numbers(64)}, nil); return 0 },
		"the end of addresses":  func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{{255, 255, 255, 255}}, nil); return 0 },
		"half a page":           func(d *virtiotest.Driver) int { d.Rings[2].Add(nil, []int{page / 2}); return 2 },
		"a report to read from": func(d *virtiotest.Driver) int { d.Rings[2].Add([][]byte{{1}}, nil); return 2 },
	} {
		t.Run(name, func(t *testing.T) {
			m, d, b, _ := start(t)
			before := pages(t, m)
			if d.Kick(queue(d)); d.Failure == nil || pages(t, m) < before {
				t.Errorf("%v; the host has %d of %d pages", d.Failure, pages(t, m), before)
			}
			for _, at := range []int{0, 2, 5} {
				if b.SetConfig(at, []byte{1, 0, 0, 0}) == nil {
					t.Errorf("the guest wrote at %d of the configuration space", at)
				}
			}
		})
	}
}
