package agent_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"backplane/firmware/agentproto"
	"backplane/guest/agent"
)

// FuzzClient has a board's agent say whatever it likes, in frames and not, while
// requests are under way: each ends once, and none is given more than its window.
func FuzzClient(f *testing.F) {
	hello := agentproto.Frame{Type: agentproto.Hello, Payload: []byte(agentproto.Version)}.Append(nil)
	frame := func(t agentproto.Type, channel uint32, payload string) []byte {
		return agentproto.Frame{Type: t, Channel: channel, Payload: []byte(payload)}.Append(nil)
	}
	f.Add(hello, uint8(3))
	f.Add(append(frame(agentproto.Stdout, 1, "text"), frame(agentproto.Exit, 1, `{"status":3}`)...), uint8(5))
	f.Add(append(frame(agentproto.Credit, 2, "\x04\x00\x00\x00"), frame(agentproto.Exit, 2, `{"error":"x"}`)...), uint8(1))
	f.Add(frame(agentproto.Failure, 0, "no network"), uint8(0))
	f.Add([]byte{0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		broken := errors.New("the console is full")
		sent := 0
		c := agent.New(func(p []byte) error {
			if sent += len(p); sent > 1<<20 {
				return broken
			}
			return nil
		})
		c.Receive(hello)
		const window = 100
		var done [3]int
		owed := 0
		out := func(i int) agent.Output {
			return agent.Output{Stdout: func(p []byte) { owed += len(p) }, Taken: func(n int) {
				if n < 0 || n > agentproto.Window {
					t.Errorf("%d bytes were taken", n)
				}
			}, Done: func(agent.Status, error) { done[i]++ }}
		}
		run, err := c.Exec(agentproto.ExecRequest{Args: []string{"cat"}, Window: window}, out(0))
		if err != nil {
			t.Fatal(err)
		}
		put, err := c.Put("/x", 0o600, out(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get("/y", 0, agent.Output{Done: out(2).Done}); err != nil {
			t.Fatal(err)
		}
		if size > 200 { // more than may be with the agent
			put.Write(make([]byte, agentproto.Window))
		}
		put.Write([]byte("contents"))
		run.Write([]byte("input"))
		for n := int(size) + 1; len(data) > 0; {
			n = min(n, len(data))
			c.Receive(data[:n])
			if data = data[n:]; owed > window {
				t.Fatalf("%d bytes of output came, where %d may be under way", owed, window)
			}
			run.Took(owed / 2)
			owed -= owed / 2
		}
		run.Resize(agentproto.Size{Cols: 80, Rows: 25})
		put.CloseInput()
		run.Kill()
		c.Gone()
		for i, n := range done {
			if n != 1 {
				t.Errorf("request %d ended %d times", i, n)
			}
		}
	})
}

// FuzzParts gives the two small decoders of the protocol any payload.
func FuzzParts(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0}, 5)
	f.Fuzz(func(t *testing.T, p []byte, limit int) {
		if n, err := agentproto.ParseCredit(p, max(0, limit)); err == nil && (n > max(0, limit) || n != int(binary.LittleEndian.Uint32(p))) {
			t.Errorf("%x is a credit of %d of %d", p, n, limit)
		}
		if s, err := agentproto.ParseSize(p); err == nil && string(s.Append(nil)) != string(p) {
			t.Errorf("%x is the size %v", p, s)
		}
	})
}
