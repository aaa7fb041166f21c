package agent

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"backplane/firmware/agentproto"
)

// board is a client with the frames that it has sent, and a guest that says what
// the test wants.
type board struct {
	*Client
	t    *testing.T
	sent []agentproto.Frame
	fail error
}

func newBoard(t *testing.T) *board {
	b := &board{t: t}
	var d agentproto.Decoder
	b.Client = New(func(p []byte) error {
		if b.fail != nil {
			return b.fail
		}
		return d.Feed(p, func(f agentproto.Frame) { b.sent = append(b.sent, f) })
	})
	b.say(agentproto.Hello, 0, []byte(agentproto.Version))
	return b
}

func (b *board) say(t agentproto.Type, channel uint32, p []byte) {
	b.Receive(agentproto.Frame{Type: t, Channel: channel, Payload: p}.Append(nil))
}

// input is how many bytes of input were sent, and whether their end was.
func (b *board) input() (n int, ended bool) {
	for _, f := range b.sent {
		if f.Type == agentproto.Stdin {
			n += len(f.Payload)
			ended = ended || len(f.Payload) == 0
		}
	}
	return n, ended
}

func TestInputKeepsToItsWindow(t *testing.T) {
	b := newBoard(t)
	taken := 0
	s, err := b.Exec(agentproto.ExecRequest{Args: []string{"cat"}}, Output{Taken: func(n int) { taken += n }, Done: func(Status, error) {}})
	if err != nil {
		t.Fatal(err)
	}
	const all = agentproto.Window + 1000
	s.Write(bytes.Repeat([]byte("x"), all))
	s.CloseInput()
	if n, ended := b.input(); n != agentproto.Window || ended {
		t.Errorf("%d bytes are sent, ended %v", n, ended)
	}
	b.say(agentproto.Credit, 1, agentproto.AppendCredit(nil, 500))
	if n, ended := b.input(); n != agentproto.Window+500 || ended || taken != 500 {
		t.Errorf("%d bytes are sent, ended %v, %d taken", n, ended, taken)
	}
	b.say(agentproto.Credit, 1, agentproto.AppendCredit(nil, 500))
	if n, ended := b.input(); n != all || !ended {
		t.Errorf("%d bytes are sent, ended %v", n, ended)
	}
}

func TestOutputIsCredited(t *testing.T) {
	b := newBoard(t)
	var got []byte
	s, err := b.Exec(agentproto.ExecRequest{Args: []string{"yes"}, Window: 1000}, Output{Stdout: func(p []byte) { got = append(got, p...) }, Done: func(Status, error) {}})
	if err != nil {
		t.Fatal(err)
	}
	b.say(agentproto.Stdout, 1, make([]byte, 1000))
	s.Took(5000) // more than there was
	last := b.sent[len(b.sent)-1]
	if n, err := agentproto.ParseCredit(last.Payload, 1000); last.Type != agentproto.Credit || n != 1000 || err != nil || len(got) != 1000 {
		t.Errorf("sent %v, %d, %v", last, n, err)
	}
	b.say(agentproto.Exit, 1, []byte(`{"status":3}`))
	if s.Took(1); !s.Ended() || len(b.requests) != 0 {
		t.Error("it has not ended")
	}
}

// TestGuestThatBreaksTheRules: a guest that does not keep to the protocol loses its
// agent, and everybody who waits for it hears of that.
func TestGuestThatBreaksTheRules(t *testing.T) {
	tests := []struct {
		name string
		say  func(*board)
		want string
	}{
		{"more output than its window", func(b *board) { b.say(agentproto.Stderr, 1, make([]byte, 1001)) }, "more than it may"},
		{"more input taken than sent", func(b *board) { b.say(agentproto.Credit, 1, agentproto.AppendCredit(nil, 1)) }, "at most 0 bytes were sent"},
		{"half a credit", func(b *board) { b.say(agentproto.Credit, 1, []byte{1}) }, "credit"},
		{"no frame", func(b *board) { b.Receive(bytes.Repeat([]byte{0xff}, 9)) }, "not the agent's protocol"},
		{"another version", func(b *board) { b.say(agentproto.Hello, 0, []byte("1")) }, `has version "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBoard(t)
			var got error
			if _, err := b.Exec(agentproto.ExecRequest{Args: []string{"a"}, Window: 1000}, Output{Done: func(_ Status, err error) { got = err }}); err != nil {
				t.Fatal(err)
			}
			tt.say(b)
			if got == nil || !strings.Contains(got.Error(), tt.want) || b.Ready() {
				t.Errorf("it ends with %v, want %q; ready %v", got, tt.want, b.Ready())
			}
			if _, err := b.Get("/x", 0, Output{}); !errors.Is(err, got) {
				t.Errorf("the next request: %v", err)
			}
			b.Gone()
			if b.say(agentproto.Hello, 0, []byte(agentproto.Version)); !b.Ready() {
				t.Error("the next boot has no agent")
			}
		})
	}
}

// TestFramesOfNothing: frames that say nothing, of which a guest can send any number, reach
// nobody, nor does a second hello.
func TestFramesOfNothing(t *testing.T) {
	b := newBoard(t)
	hellos, calls := 0, 0
	b.OnHello = func() { hellos++ }
	_, err := b.Exec(agentproto.ExecRequest{Args: []string{"a"}, Window: 1000}, Output{
		Stdout: func([]byte) { calls++ }, Stderr: func([]byte) { calls++ }, Taken: func(int) { calls++ }, Done: func(Status, error) { calls++ }})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		b.say(agentproto.Stdout, 1, nil)
		b.say(agentproto.Stderr, 1, nil)
		b.say(agentproto.Credit, 1, agentproto.AppendCredit(nil, 0))
		b.say(agentproto.Hello, 0, []byte(agentproto.Version))
	}
	if calls != 0 || hellos != 0 || !b.Ready() {
		t.Errorf("%d calls, %d hellos, ready %v", calls, hellos, b.Ready())
	}
}

// TestManyFailures: an agent that tells of failures without end is given up.
func TestManyFailures(t *testing.T) {
	b := newBoard(t)
	told := 0
	b.OnFailure = func(string) { told++ }
	for range 10 * maxFailures {
		b.say(agentproto.Failure, 0, []byte("eth0"))
	}
	if told != maxFailures || b.Ready() {
		t.Errorf("it told of %d; ready %v", told, b.Ready())
	}
}

// TestAgentThatDoesNotListen gives a request up that cannot be told.
func TestAgentThatDoesNotListen(t *testing.T) {
	b := newBoard(t)
	var got error
	s, err := b.Put("/x", 0o644, Output{Done: func(_ Status, err error) { got = err }})
	if err != nil {
		t.Fatal(err)
	}
	b.fail = errors.New("full")
	if s.Write([]byte("x")); !errors.Is(got, b.fail) || !s.Ended() {
		t.Errorf("it ends with %v", got)
	}
}
