package serial

import (
	"context"
	"fmt"
	"testing"
	"time"

	"backplane/simbus"
)

// lateEnds is a medium whose receiver is ahead of the sender, as in real time on a busy host,
// and hears of the end of a run when the test says so.
type lateEnds struct {
	rx      *receiver
	sampled bool
	ends    []func()
}

func (m *lateEnds) begin(_ *Port, r *run, at simbus.Time) {
	if m.sampled {
		copied := *r
		copied.of, copied.flips = r, []flip{}
		r = &copied
	}
	m.rx.add(r, at)
}

func (m *lateEnds) end(_ *Port, r *run, at simbus.Time) {
	m.ends = append(m.ends, func() { m.rx.end(r, at) })
}

func (m *lateEnds) lead(*Port) time.Duration { return 0 }
func (m *lateEnds) format(*Port)             {}
func (m *lateEnds) lines(*Port)              {}

// TestLateCut has a sender hold while its receiver has read more than the sender thinks has
// gone over. Each character arrives once all the same, and the sender knows how many.
func TestLateCut(t *testing.T) {
	const char = simbus.Time(2500) // at 4 Mbaud
	f := EightN1(Baud(4_000_000))
	for _, sampled := range []bool{false, true} {
		for _, batch := range []int{0, 7} {
			t.Run(fmt.Sprintf("sampled=%v,batch=%d", sampled, batch), func(t *testing.T) {
				var cals [2]*simbus.Calendar
				var ports [2]*Port
				for i := range cals {
					cals[i] = simbus.NewVirtual()
					defer cals[i].Close()
					d, err := cals[i].AddDomain("board")
					if err != nil {
						t.Fatal(err)
					}
					ports[i] = NewPort(d)
					ports[i].SetFormat(f)
				}
				until := func(i int, at simbus.Time) {
					if _, err := cals[i].Advance(context.Background(), at, nil); err != nil {
						t.Fatal(err)
					}
				}
				tx, rx := ports[0], ports[1]
				rx.SetBatch(batch)
				var got []byte
				sent := 0
				rx.OnReceive = func(x Received) { got = append(got, x.Data...) }
				tx.OnSent = func(p []byte) { sent += len(p) }
				line := &lateEnds{rx: &rx.rx, sampled: sampled}
				tx.join(line)
				data := make([]byte, 300)
				for i := range data {
					data[i] = byte(i * 7)
				}
				tx.Transmit(data)
				until(1, 105*char+char/2) // 105 have arrived, or what of them is whole batches
				read := len(got)
				until(0, 50*char+char/2)
				tx.Hold(true)
				until(1, 120*char) // before the receiver hears of the hold
				for _, f := range line.ends {
					f()
				}
				if len(got) != read {
					t.Errorf("%d characters arrived after the hold", len(got)-read)
				}
				line.ends = nil
				until(0, 130*char)
				if want := max(read, 51); sent != want {
					t.Errorf("%d characters were read, and %d were sent; want %d", read, sent, want)
				}
				tx.Hold(false)
				until(0, 500*char)
				until(1, 500*char)
				if string(got) != string(data) || sent != len(data) {
					t.Errorf("%d of %d characters arrived, and %d were sent:\n% x\nwant\n% x", len(got), len(data), sent, got, data)
				}
			})
		}
	}
}
