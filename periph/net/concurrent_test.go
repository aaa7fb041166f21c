package net_test

import (
	"sync"
	"testing"

	"backplane/periph/net"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// TestManySenders: several boards send to one at once, which meanwhile empties
// its ring, loses its link and is reset. Nothing is lost but what is counted.
func TestManySenders(t *testing.T) {
	const senders, batches, perBatch = 3, 200, 4
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var boards [1 + senders]*simbus.Domain
	var nics [1 + senders]*net.NIC
	var d [1 + senders]*virtiotest.Driver
	for i := range d {
		if boards[i], err = cal.AddDomain("b"); err != nil {
			t.Fatal(err)
		}
		nics[i] = net.New("eth0", []byte{2, 0, 0, 0, 0, byte(1 - i)}) // the receiver's is frame's destination
		nics[i].Port = seg.AddPort("b.eth0", boards[i], nics[i].Receive)
		boards[i].Do(func() { d[i] = virtiotest.Start(t, nics[i], 16, 0) })
	}
	received := 0
	receive := func() {
		for range d[0].Rings[0].Results() {
			received++
			d[0].Rings[0].Add(nil, []int{200})
		}
		d[0].Kick(0)
	}
	boards[0].Do(func() {
		for range 16 {
			d[0].Rings[0].Add(nil, []int{200})
		}
		d[0].Kick(0)
	})
	var all sync.WaitGroup
	for i := 1; i <= senders; i++ {
		all.Go(func() {
			for range batches {
				boards[i].Do(func() {
					for range perBatch {
						d[i].Rings[1].Add([][]byte{make([]byte, 12), frame(60)}, nil)
					}
					d[i].Kick(1)
					d[i].Rings[1].Results()
				})
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for n := 0; ; n++ {
		boards[0].Do(func() { receive(); nics[0].SetLink(n%8 != 7) })
		select {
		case <-done:
		default:
			continue
		}
		break
	}
	boards[0].Do(func() {
		for before := -1; before != received; {
			before = received
			receive()
		}
	})
	counts := seg.Ports()[0].Counters(ether.Rx)
	const sent = senders * batches * perBatch
	if got := counts.Frames.Load() + counts.Dropped(); got != sent {
		t.Errorf("%d frames came to the port, want %d", got, sent)
	}
	if uint64(received) != counts.Frames.Load() {
		t.Errorf("the guest has %d frames, the port has counted %d", received, counts.Frames.Load())
	}
	for i := range d {
		if d[i].Failure != nil {
			t.Errorf("board %d was stopped: %v", i, d[i].Failure)
		}
	}
}

// TestBusyGuest: a guest that fills its ring as fast as it is emptied does not
// keep its board's goroutine to itself.
func TestBusyGuest(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	board, err := cal.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	nic := net.New("eth0", []byte{2, 0, 0, 0, 0, 1})
	nic.Port = seg.AddPort("b.eth0", board, nic.Receive)
	var d *virtiotest.Driver
	// The guest, at the worst moment: another frame is there before the last is sent.
	seg.Tap(func(simbus.Time, string, bool, []byte, int) { d.Rings[1].Publish(0) })
	board.Do(func() {
		d = virtiotest.Start(t, nic, 16, 0)
		d.Rings[1].Add([][]byte{append(make([]byte, 12), frame(60)...)}, nil)
		d.Kick(1)
	})
	board.Do(nic.Stop) // comes in between
	if n := seg.Ports()[0].Counters(ether.Tx).Frames.Load(); n < 1000 || d.Failure != nil {
		t.Errorf("%d frames were sent, then: %v", n, d.Failure)
	}
}
