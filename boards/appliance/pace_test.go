package appliance

import (
	"context"
	"testing"
	"time"
)

// TestPacerMakesRoom has slices get shorter while they take long on the host, and
// longer again.
func TestPacerMakesRoom(t *testing.T) {
	p := newPacer(false)
	if p.room != 100*time.Millisecond {
		t.Fatalf("a slice may be %s", p.room)
	}
	p.took(100*time.Millisecond, 10*time.Second)
	if p.room != time.Millisecond {
		t.Errorf("after 10 s for 100 ms a slice may be %s, want 1 ms", p.room)
	}
	p.took(time.Millisecond, time.Hour)
	if p.room != time.Microsecond {
		t.Errorf("after an hour for 1 ms a slice may be %s, want the least, 1 us", p.room)
	}
	for range 20 {
		p.took(p.room, time.Millisecond)
	}
	if p.room != p.most {
		t.Errorf("on an idle host a slice may be %s, want %s", p.room, p.most)
	}
}

func TestLater(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	late, end := later(ctx, time.Millisecond)
	defer end()
	if late.Err() != nil {
		t.Error("it ends before the other")
	}
	cancel()
	<-late.Done() // or the test hangs
}
