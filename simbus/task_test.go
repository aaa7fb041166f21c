package simbus

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// tell writes what a kernel tells of its user space.
func (k *fakeKernel) tell(pid uint32, name string, user uint32, at Time) {
	client := clientAt(shmGuest)
	*k.word32(client + clientOffTaskPID) = pid
	copy(k.shm[client+clientOffTaskName:][:taskNameSize], name+strings.Repeat("\x00", taskNameSize))
	atomic.StoreUint64(k.word64(client+clientOffTaskTime), uint64(at))
	atomic.StoreUint32(k.word32(client+clientOffTaskUser), user)
}

// TestStalledTask has guests that hold time still, and looks at what is said of them.
func TestStalledTask(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell func(k *fakeKernel)
		want string
	}{
		{"a program", func(k *fakeKernel) { k.tell(31, "burn", 1, 0) }, "burn (PID 31) loops without sleeping or calling the kernel"},
		{"the kernel", func(k *fakeKernel) { k.tell(31, "burn", 0, 0) }, "its kernel loops without sleeping, which holds virtual time still; the last program to run was burn (PID 31)"},
		{"a kernel that does not tell", func(k *fakeKernel) {}, "guest code that loops without sleeping"},
		{"a bad number", func(k *fakeKernel) { k.tell(1<<31, "burn", 1, 0) }, "guest code that loops without sleeping"},
		{"a name of control characters, without an end", func(k *fakeKernel) { k.tell(31, "\x1b[2J\n3456789\xff12345", 1, 0) }, "?[2J?3456789?123 (PID 31)"},
		{"a time that it cannot have reached", func(k *fakeKernel) { k.tell(31, "burn", 1, Never) }, "stood at 0.000000000s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewVirtual()
			c.StallLimit = 20 * time.Millisecond
			r := startRestless(t, c, func(_ *Domain, k *fakeKernel) { tt.tell(k); time.Sleep(time.Millisecond) })
			if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil {
				t.Fatal(err)
			}
			if err := <-r.lost; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the guest was lost by %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSlowTask has a guest that gets on within its turn, slowly, and says nothing:
// it is not lost before its time stands still.
func TestSlowTask(t *testing.T) {
	c := NewVirtual()
	c.StallLimit = time.Second // seven of the steps below, however busy the host is
	at := Time(0)
	r := startRestless(t, c, func(_ *Domain, k *fakeKernel) {
		if at < 1000 { // half as much again of host time
			at += 100
			time.Sleep(150 * time.Millisecond)
		}
		k.tell(31, "slow", 1, at)
	})
	if _, err := c.Advance(context.Background(), Time(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-r.lost; err == nil || !strings.Contains(err.Error(), "stood at 0.000001000s") {
		t.Errorf("the guest was lost by %v, want that it stood at 1 µs", err)
	}
}
