package appliance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/guesttest"
)

// TestDoing: who asks while virtual time hardly gets on is told that it does not, and what
// happens is told meanwhile; who asks while it does is told nothing. An end that is wanted comes.
func TestDoing(t *testing.T) {
	t.Parallel()
	ks := guesttest.New(t)
	ks.Programs["ask"] = func(p *guesttest.Program) int {
		for {
			p.Print("there?")
			p.Sleep(1)
		}
	}
	r := start(t, ks, files{"main.toml": oneBoard}, appliance.Options{Virtual: true})
	r.up("b")
	if text := r.Doing(); text != "" {
		t.Errorf("it does something: %s", text)
	}
	r.exec("b", "ask")
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() {
		_, err := r.Advance(ctx, r.Now().Add(time.Hour), nil)
		over <- err
	}()
	text, heard := "", func() bool { return len(r.all()) > 1000 }
	for end := time.Now().Add(patience); (text == "" || !heard()) && time.Now().Before(end); text = r.Doing() {
		time.Sleep(10 * time.Millisecond) // of the host's time, which is what counts here
	}
	cancel()
	if err := <-over; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(text, "for 0s of the appliance's") || !heard() {
		t.Errorf("it does %q, and %d events are told", text, len(r.all()))
	}
}
