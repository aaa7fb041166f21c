package appliance_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/guest/agent"
	"backplane/guest/guesttest"
	"backplane/simbus"
)

// result is how a job ended.
type result struct {
	mu     sync.Mutex
	out    bytes.Buffer
	status agent.Status
	err    error
	ended  int
}

func (x *result) output() agent.Output {
	return agent.Output{
		Stdout: func(p []byte) { x.mu.Lock(); defer x.mu.Unlock(); x.out.Write(p) },
		Done: func(s agent.Status, err error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.status, x.err = s, err
			x.ended++
		},
	}
}

// job does a job and waits for its end.
func (r *rig) job(j record.Job) *result {
	r.t.Helper()
	x := &result{}
	_, err := r.Start(j, x.output())
	r.must(err)
	r.ended(j.Name())
	return x
}

// ended waits for the end of a job.
func (r *rig) ended(name string) {
	r.t.Helper()
	r.until(name+" ends", func(e *simbus.Event) bool {
		command, _ := e.Get("command")
		return e.Kind == appliance.KindExec && command == name
	})
}

// filters are programs.
func filters(t *testing.T) *guesttest.Kernels {
	ks := guesttest.New(t)
	ks.Programs["cat"] = func(p *guesttest.Program) int {
		if _, err := io.Copy(p, p); err != nil {
			return 1
		}
		return 3
	}
	ks.Programs["yes"] = func(p *guesttest.Program) int {
		for !p.Killed() {
			if _, err := p.Write([]byte("y\n")); err != nil {
				break
			}
		}
		return 137
	}
	ks.Programs["halt"] = func(p *guesttest.Program) int { p.Halt(); return 0 }
	return ks
}

// TestJobs runs programs, and writes and reads files.
func TestJobs(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, filters(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		much := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // more than any window
		x := r.job(record.Job{Do: record.DoExec, Board: "b", Args: []string{"cat"}, Input: much})
		if !bytes.Equal(x.out.Bytes(), much) || x.status.Code != 3 || x.err != nil {
			t.Errorf("%d bytes come back, %+v, %v", x.out.Len(), x.status, x.err)
		}
		if x := r.job(record.Job{Do: record.DoExec, Board: "b", Args: []string{"nothing"}}); x.err == nil || !strings.Contains(x.err.Error(), "not found") {
			t.Errorf("error %v", x.err)
		}
		if x := r.job(record.Job{Do: record.DoPut, Board: "b", File: "/f", Mode: 0o640, Input: much}); x.err != nil {
			t.Error(x.err)
		}
		x = r.job(record.Job{Do: record.DoFetch, Board: "b", File: "/f"})
		if !bytes.Equal(x.out.Bytes(), much) || x.status.Mode != 0o640 || x.err != nil {
			t.Errorf("%d bytes come back, %+v, %v", x.out.Len(), x.status, x.err)
		}
		if _, err := r.Start(record.Job{Do: record.DoExec, Board: "c", Args: []string{"cat"}}, x.output()); err == nil {
			t.Error("a board that there is not runs a program")
		}
	})
}

// TestJobInPieces gives a program its input bit by bit, and takes its output so.
func TestJobInPieces(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, filters(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		x := &result{}
		const window = 10
		came := make(chan int, 100)
		out := x.output()
		keep := out.Stdout
		out.Stdout = func(p []byte) { keep(p); came <- len(p) }
		p, err := r.Start(record.Job{Do: record.DoExec, Board: "b", Args: []string{"cat"}, Open: true, Window: window}, out)
		r.must(err)
		p.Write([]byte("0123456789abcdefghij"))
		for got := 0; got < window; {
			r.pass(0)
			select {
			case n := <-came:
				got += n
			default:
				r.pass(1e6)
			}
		}
		r.pass(20e6)
		if n := len(came); n != 0 {
			t.Errorf("%d pieces came that nobody has room for", n)
		}
		p.Took(window)
		p.CloseInput()
		r.ended("cat")
		if got := x.out.String(); got != "0123456789abcdefghij" || x.status.Code != 3 {
			t.Errorf("it said %q and ended with %d", got, x.status.Code)
		}
		p.Write([]byte("more")) // none of this does anything
		p.Took(1)
		p.Cancel()
	})
}

// TestJobsEnd: jobs end when they are cancelled, and when the board goes, in whatever way.
func TestJobsEnd(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		r := start(t, filters(t), files{"main.toml": oneBoard}, o)
		r.up("b")
		x := &result{}
		p, err := r.Start(record.Job{Do: record.DoExec, Board: "b", Args: []string{"yes"}, Window: 100}, x.output())
		r.must(err)
		p.Cancel()
		r.ended("yes")
		if x.status.Code != 137 || x.err != nil || x.ended != 1 {
			t.Errorf("it ended with %d, %v, %d times", x.status.Code, x.err, x.ended)
		}
		for _, end := range []func(){
			func() { r.must(r.PullPlug("b")) },
			func() { r.must(r.PowerOff("b")) },
			func() { r.exec("b", "halt") },
		} {
			x := &result{}
			_, err := r.Start(record.Job{Do: record.DoExec, Board: "b", Args: []string{"cat"}, Open: true}, x.output())
			r.must(err)
			end()
			r.until("the board's end", func(e *simbus.Event) bool { return e.Kind == kindGuest })
			r.ended("cat")
			if x.err == nil || !strings.Contains(x.err.Error(), "went off") || x.ended != 1 {
				t.Errorf("it ended with %v, %d times", x.err, x.ended)
			}
			if _, err := r.Start(record.Job{Do: record.DoExec, Board: "b", Args: []string{"cat"}}, x.output()); !errors.Is(err, agent.ErrNotReady) {
				t.Errorf("a board that is off runs a program: %v", err)
			}
			r.must(r.PowerOn("b"))
			r.up("b")
		}
	})
}

// TestAgentThatIsNone: a board whose agent talks nonsense goes on, without one.
func TestAgentThatIsNone(t *testing.T) {
	clocks(t, func(t *testing.T, o appliance.Options) {
		ks := guesttest.New(t)
		ks.Boot = func(k *guesttest.Kernel) {
			k.Hello()
			k.Say(bytes.Repeat([]byte{0xff}, 100))
			k.Print("here")
			k.Await(func() bool { return false })
		}
		r := start(t, ks, files{"main.toml": oneBoard}, o)
		r.up("b")
		r.line("b", "console", "here")
		x := &result{}
		if _, err := r.Start(record.Job{Do: record.DoExec, Board: "b", Args: []string{"cat"}}, x.output()); err == nil || !strings.Contains(err.Error(), "not the agent's protocol") {
			t.Errorf("error %v", err)
		}
		if err := r.PowerOff("b"); err == nil {
			t.Error("it takes the time to shut down")
		}
		r.must(r.PullPlug("b"))
	})
}
