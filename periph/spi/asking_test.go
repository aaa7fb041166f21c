package spi_test

import (
	"testing"
	"time"

	"backplane/periph/spi"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// worker answers 03 for as long as it works, and then 00; one that counts never says the same twice.
type worker struct {
	clock  simbus.Clock
	until  time.Duration
	counts bool
	said   uint8
}

func (*worker) Select()   {}
func (*worker) Deselect() {}
func (w *worker) Exchange(_, rx []byte, _ int) {
	w.said++
	for i := range rx {
		switch {
		case w.counts:
			rx[i] = w.said
		case time.Duration(w.clock.Now()) < w.until:
			rx[i] = 3
		default:
			rx[i] = 0
		}
	}
}

// plan is what a driver puts into the queue at once: messages at 1 MHz, 8 us a byte.
type plan struct{ ring *virtiotest.Ring }

func (p plan) transfer(last bool, written []byte, read int) {
	h := head{bits: 8, hz: 1_000_000}
	if last {
		h.change = 1
	}
	out, in := [][]byte{h.bytes()}, []int{1}
	if written != nil {
		out = append(out, written)
	}
	if read > 0 {
		in = []int{read, 1}
	}
	p.ring.Add(out, in)
}

func (p plan) ask(question byte) {
	p.transfer(false, []byte{question}, 0)
	p.transfer(true, nil, 1)
}

// TestAsking: questions in a row that get the same answer take longer and longer, and another answer is found in time.
func TestAsking(t *testing.T) {
	const works, questions = 4 * time.Millisecond, 170
	cal, domain := board(t)
	var answers []simbus.Time
	changed := -1
	c := spi.NewController("spi0", spi.Config{Frequency: 1_000_000}, domain, func(tr *spi.Transfer) {
		if tr.Rx == nil {
			return
		}
		if tr.Rx[0] == 0 && changed < 0 {
			changed = len(answers)
		}
		answers = append(answers, domain.Now())
	})
	if err := c.Attach(0, &worker{clock: domain, until: works}, everything); err != nil {
		t.Fatal(err)
	}
	d := virtiotest.Start(t, c, 1024, 0)
	for range questions {
		plan{d.Rings[0]}.ask(5)
	}
	d.Kick(0)
	advance(t, cal, time.Second)
	if len(answers) != questions || changed < 0 {
		t.Fatalf("%d answers, the first other one is number %d", len(answers), changed)
	}
	took := func(i int) time.Duration { return answers[i].Sub(answers[i-1]) }
	if d := answers[20].Sub(answers[0]); d != 20*16*time.Microsecond {
		t.Errorf("20 questions took %s", d)
	}
	if changed > 140 { // 250 of 16 us
		t.Errorf("%d questions in %s", changed, works)
	}
	if at := time.Duration(answers[changed]); at < works || at > works+58*time.Microsecond {
		t.Errorf("the other answer came at %s", at)
	}
	for i := 1; i <= changed; i++ {
		if d := took(i); d < 16*time.Microsecond || d > 58*time.Microsecond {
			t.Fatalf("question %d took %s", i, d)
		}
	}
	if d := took(changed + 1); d != 16*time.Microsecond {
		t.Errorf("the question after it took %s", d)
	}
}

// TestNoRow: what is no row of the same questions takes what it takes on the wire.
func TestNoRow(t *testing.T) {
	const times = 80
	for name, c := range map[string]struct {
		target worker
		bytes  int // of each round
		round  func(p plan)
	}{
		"other answers":     {worker{counts: true}, 2, func(p plan) { p.ask(5) }},
		"both ways at once": {worker{}, 2, func(p plan) { p.transfer(true, []byte{5, 0}, 2) }},
		"only written":      {worker{}, 2, func(p plan) { p.transfer(true, []byte{5, 0}, 0) }},
		"only read":         {worker{}, 2, func(p plan) { p.transfer(true, nil, 2) }},
		"long answers": {worker{}, 10, func(p plan) {
			p.transfer(false, []byte{3}, 0)
			p.transfer(true, nil, 9)
		}},
		"two questions in turns": {worker{}, 4, func(p plan) {
			p.ask(5)
			p.ask(0x35)
		}},
		"something written between": {worker{}, 3, func(p plan) {
			p.ask(5)
			p.transfer(true, []byte{6}, 0)
		}},
		"a long message between": {worker{}, 13, func(p plan) {
			p.ask(5)
			p.transfer(true, make([]byte, 11), 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cal, domain := board(t)
			var last simbus.Time
			dev := spi.NewController("spi0", spi.Config{Frequency: 1_000_000}, domain, func(*spi.Transfer) { last = domain.Now() })
			if err := dev.Attach(0, &c.target, everything); err != nil {
				t.Fatal(err)
			}
			c.target.clock = domain
			d := virtiotest.Start(t, dev, 1024, 0)
			for range times {
				c.round(plan{d.Rings[0]})
			}
			d.Kick(0)
			advance(t, cal, time.Second)
			if want := time.Duration(times*c.bytes*8) * time.Microsecond; time.Duration(last) != want {
				t.Errorf("it took %s, want %s", time.Duration(last), want)
			}
		})
	}
}
