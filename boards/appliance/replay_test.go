package appliance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/guest/agent"
)

// TestReplay does all kinds of things to two boards, and does what was recorded of that
// again: the events and the consoles are the same.
func TestReplay(t *testing.T) {
	first := filepath.Join(t.TempDir(), "first")
	t.Run("session", func(t *testing.T) {
		r := start(t, hearing(t), pair(), appliance.Options{Virtual: true, Seed: 7, Out: first})
		r.up("a", "b")
		r.must(r.Set("lan.latency", "200us"))
		r.must(r.Set("b.temp0.temperature", "77"))
		r.must(r.Set("a.button0.press", ""))
		r.must(r.Send("b.uart1", []byte("typed")))
		for i := range 5 {
			r.exec("a", "frame", string(rune('0'+i)))
			r.exec("b", "uart", "answer")
			r.pass(time.Duration(i) * 333 * time.Microsecond)
		}
		p, err := r.Start(record.Job{Do: record.DoPut, Board: "b", File: "/f", Open: true}, agent.Output{Done: func(agent.Status, error) {}})
		r.must(err)
		p.Write([]byte("some"))
		r.must(r.Cut("line"))
		r.must(r.PullPlug("a"))
		r.pass(time.Millisecond)
		p.Write([]byte("thing"))
		p.CloseInput()
		r.must(r.PowerOn("a"))
		_ = r.PowerOn("a") // fails, and fails again
		r.must(r.Restore("line"))
		r.must(r.PowerOff("b"))
		r.pass(time.Second)
	})
	second := filepath.Join(t.TempDir(), "second")
	t.Run("replay", func(t *testing.T) {
		r := start(t, hearing(t), pair(), appliance.Options{Virtual: true, Seed: 7, Out: second})
		f, err := os.Open(filepath.Join(first, record.InputsFile))
		r.must(err)
		defer f.Close()
		n := 0
		for lines := bufio.NewScanner(f); lines.Scan(); n++ {
			var in record.Input
			r.must(json.Unmarshal(lines.Bytes(), &in))
			if in.Time > r.Now() {
				_, err := r.Advance(context.Background(), in.Time, nil)
				r.must(err)
			}
			if in.Do != record.DoEnd {
				_ = r.Apply(in) // what has failed fails again
			}
		}
		if n < 20 {
			t.Errorf("%d inputs were recorded", n)
		}
	})
	for _, name := range []string{record.EventsFile, record.InputsFile, "console/a.log", "console/b.log", "console/b.uart1.log", "lan.pcapng"} {
		one, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(second, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(one) == 0 || !bytes.Equal(one, two) {
			t.Errorf("%s: %d bytes, and %d bytes in the replay, which differ", name, len(one), len(two))
		}
	}
}
