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

// TestTooMuch asks for more than the guest has: once it brings less than it could, it is asked no more, and gets some back.
func TestTooMuch(t *testing.T) {
	_, _, b, told := start(t)
	var enough []bool
	b.OnReclaimed(func(e bool) { enough = append(enough, e) })
	for _, bytes := range []int64{-page, 1 << 44} {
		if b.Reclaim(bytes) == nil || target(b) != 0 {
			t.Errorf("it is asked for %d bytes", bytes)
		}
	}
	ask := func(pages int64) {
		t.Helper()
		if err := b.Reclaim(pages * page); err != nil {
			t.Fatal(err)
		}
	}
	ask(8000)
	for n := range uint32(16) {
		has(t, b, (n+1)*256)
	}
	ask(4200) // less than the driver has read when it brings these
	has(t, b, 17*256)
	has(t, b, 4200)
	ask(4300)
	has(t, b, 4300)
	ask(10_000)
	has(t, b, 4556)
	ask(4600)
	ask(9000) // while a try is under way that has read 4600
	has(t, b, 4600)
	has(t, b, 4856)
	if len(enough) != 2 || !enough[0] || !enough[1] || target(b) != 9000 {
		t.Fatalf("given up: %v; the target is %d pages", enough, target(b))
	}
	before := *told
	if has(t, b, 5000); len(enough) != 2 || target(b) != 5000-2048 || *told != before+1 {
		t.Errorf("given up: %v; the target is %d pages, and the guest was told %d times", enough, target(b), *told-before)
	}
	has(t, b, 4744)
	if has(t, b, 5000-2048); len(enough) != 3 || enough[2] {
		t.Errorf("given up: %v", enough)
	}
}

// TestStatistics: where the guest tells what is available, it keeps 8 MiB of it.
func TestStatistics(t *testing.T) {
	_, d, b, told := start(t)
	var enough []bool
	b.OnReclaimed(func(e bool) { enough = append(enough, e) })
	tell := func(available uint64) {
		t.Helper()
		p := binary.LittleEndian.AppendUint64([]byte{4, 0}, 1<<40) // memory that is free
		p = binary.LittleEndian.AppendUint64(append(p, 6, 0), available)
		d.Rings[2].Add([][]byte{p}, nil)
		d.Kick(2)
	}
	ask := func(pages int64, wants uint32) {
		t.Helper()
		asked := d.Interrupts[2]
		if err := b.Reclaim(pages * page); err != nil {
			t.Fatal(err)
		}
		if target(b) != wants || d.Interrupts[2] != asked+1 {
			t.Errorf("before there are statistics the target is %d pages, want %d", target(b), wants)
		}
	}
	tell(0) // at its start, where nobody asks
	ask(1000, 0)
	if tell(100 << 20); target(b) != 1000 || *told != 1 {
		t.Errorf("with memory enough the target is %d pages", target(b))
	}
	has(t, b, 256)
	ask(800, 800) // less, at once
	tell(100 << 20)
	ask(5000, 800)
	if tell(10 << 20); target(b) != 256+512 {
		t.Errorf("with 10 MiB the target is %d pages, want 2 MiB more than 1", target(b))
	}
	if has(t, b, 768); len(enough) != 1 || enough[0] {
		t.Errorf("it was enough: %v", enough)
	}
	ask(5000, 768)
	if tell(8 << 20); target(b) != 768 || len(enough) != 2 || enough[1] {
		t.Errorf("with nothing to give the target is %d pages, and it was enough: %v", target(b), enough)
	}
	ask(5000, 768)
	for _, pages := range []int64{0, 4000} { // before it has told
		if err := b.Reclaim(pages * page); err != nil || target(b) != 0 {
			t.Errorf("%v; the target is %d pages", err, target(b))
		}
	}
	if tell(9 << 20); target(b) != 768+256 {
		t.Errorf("with 9 MiB the target is %d pages, want 1 MiB more than 3", target(b))
	}
	ask(5000, 1024)
	if b.Stop(); target(b) != 5000 {
		t.Errorf("a driver that comes back is asked for %d pages", target(b))
	}
}

// TestOffers: free pages are reported in real time only.
func TestOffers(t *testing.T) {
	for post, want := range map[bool]uint64{false: 1 << 1, true: 1<<1 | 1<<5} {
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
	r := d.Rings[3]
	virtiotest.PutDesc(r.Desc, 0, virtiotest.Base+40*page, 4*page, virtiotest.Write|virtiotest.Next, 1)
	virtiotest.PutDesc(r.Desc, 1, virtiotest.Base+50*page, 2*page, virtiotest.Write, 0)
	r.Publish(0)
	d.Kick(3)
	if d.Failure != nil || pages(t, m) != before-6 || m.Data[43*page] != 0 || m.Data[44*page] != 1 {
		t.Errorf("%v; the host has %d of %d pages", d.Failure, pages(t, m), before)
	}
}

// TestBadDrivers: what no driver may do takes nothing from the host, and ends the device.
func TestBadDrivers(t *testing.T) {
	for name, queue := range map[string]func(d *virtiotest.Driver) (kick int){
		"half a number":        func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{{1, 2}}, nil); return 0 },
		"a buffer to write":    func(d *virtiotest.Driver) int { d.Rings[0].Add(nil, []int{4}); return 0 },
		"no page of its":       func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{numbers(64)}, nil); return 0 },
		"the end of addresses": func(d *virtiotest.Driver) int { d.Rings[0].Add([][]byte{{255, 255, 255, 255}}, nil); return 0 },
		"half a page":          func(d *virtiotest.Driver) int { d.Rings[3].Add(nil, []int{page / 2}); return 3 },
		"half a statistic":     func(d *virtiotest.Driver) int { d.Rings[2].Add([][]byte{make([]byte, 15)}, nil); return 2 },
		"statistics to write":  func(d *virtiotest.Driver) int { d.Rings[2].Add(nil, []int{10}); return 2 },
		"too many statistics":  func(d *virtiotest.Driver) int { d.Rings[2].Add([][]byte{make([]byte, 650)}, nil); return 2 },
		"statistics twice": func(d *virtiotest.Driver) int {
			d.Rings[2].Add([][]byte{make([]byte, 10)}, nil)
			d.Kick(2)
			d.Rings[2].Add([][]byte{make([]byte, 10)}, nil)
			return 2
		},
		"a report to read from": func(d *virtiotest.Driver) int { d.Rings[3].Add([][]byte{{1}}, nil); return 3 },
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
