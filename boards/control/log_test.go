package control

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestRequestsAreLogged: what changes something, what only looks, what fails, and who is
// refused; not what clients send.
func TestRequestsAreLogged(t *testing.T) {
	with(t, limits{clients: 1, request: time.Minute, slow: time.Second})
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	claim, err := NewClaim("thermal")
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	core, seen := observer.New(zap.DebugLevel)
	s, err := claim.Listen(&fake{values: map[string]string{"sensor.temp0.temperature": "21.5"}}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Finish(nil)
	defer s.Stop()
	gone := func() { // until the server has seen it
		for n := 1; n > 0; time.Sleep(time.Millisecond) {
			s.mu.Lock()
			n = len(s.conns)
			s.mu.Unlock()
		}
	}
	for _, r := range []Request{
		{Command: "get", Path: "sensor.temp0.temperature"},
		{Command: "set", Path: "sensor.temp0.temperature", Value: "secret"},
		{Command: "get", Path: "nowhere"},
	} {
		c := dial(t)
		_, err := c.Do(r, func(Reply) error { return nil })
		if (err != nil) != (r.Path == "nowhere") {
			t.Errorf("%s %s: %v", r.Command, r.Path, err)
		}
		c.Close()
		gone()
	}
	first := dial(t)
	if err := first.Send(Request{Command: "wait", Value: End}); err != nil {
		t.Fatal(err)
	}
	for seen.FilterField(zap.String("command", "wait")).Len() < 2 { // up to the test's own limit
		time.Sleep(time.Millisecond)
	}
	if _, err := dial(t).Do(Request{Command: "ps"}, func(Reply) error { return nil }); err == nil {
		t.Error("one too many is served")
	}
	first.Close()
	gone()
	var got []string
	for _, e := range seen.TakeAll() {
		f := e.ContextMap()
		line := fmt.Sprint(e.Level, " ", e.LoggerName, ": ", e.Message)
		if e.Message == "listen" {
			f["client_pid"] = int64(os.Getpid())
		}
		for _, key := range []string{"command", "path", "error"} {
			if v, ok := f[key]; ok && v != "" {
				line += fmt.Sprintf(" %s=%v", key, v)
			}
		}
		if f["client_pid"] != int64(os.Getpid()) {
			t.Errorf("%s: of %v", line, f["client_pid"])
		}
		if strings.Contains(fmt.Sprint(f), "secret") {
			t.Errorf("%s has what a client sends: %v", line, f)
		}
		got = append(got, line)
	}
	want := []string{
		"info control: listen",
		"debug control: request command=get path=sensor.temp0.temperature",
		"debug control: request done command=get path=sensor.temp0.temperature",
		"info control: request command=set path=sensor.temp0.temperature",
		"debug control: request done command=set path=sensor.temp0.temperature",
		"debug control: request command=get path=nowhere",
		`info control: request failed command=get path=nowhere error=no property nowhere`,
		"debug control: request command=wait",
		"debug control: request done command=wait",
		"warn control: refused error=1 clients are connected, the most allowed: try again when one has disconnected",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
