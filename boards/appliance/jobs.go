package appliance

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"backplane/boards/record"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"
	"backplane/simbus"
)

// Program is a job that is under way. Its methods are for callers from outside, may
// be called by several goroutines at once, and do nothing once it has ended. In
// virtual time each waits until time stands still, and is recorded.
type Program struct {
	r      *Running
	m      *Machine
	number int // among the appliance's jobs, from 1
	stream *agent.Stream
}

// Start begins a job. The functions of o are called on the board's goroutine while
// time moves, Done last; then comes an event of KindExec.
func (r *Running) Start(j record.Job, o agent.Output) (*Program, error) {
	p := new(Program)
	if err := r.start(p, j, o); err != nil {
		return nil, err
	}
	return p, nil
}

// start is Start with a program that the functions of o may know already.
func (r *Running) start(p *Program, j record.Job, o agent.Output) error {
	m, err := r.machine(j.Board)
	if err != nil {
		return err
	}
	p.r, p.m = r, m
	err = r.input(record.Input{Do: j.Do, Path: j.Board, Job: &j}, func() (err error) {
		if r.opts.Virtual {
			r.jobs.add(p)
		}
		m.domain.Do(func() { err = p.begin(&j, o) })
		return err
	})
	if err != nil {
		return fmt.Errorf("board %s: %w", j.Board, err)
	}
	return nil
}

// jobList has an appliance's jobs by number, in virtual time: a replay names them so.
// Those that have ended go.
type jobList struct {
	started int
	kept    map[int]*Program // those under way, and of the others less than half
	most    int              // how many are kept until the others go
}

// add gives a job its number.
func (l *jobList) add(p *Program) {
	if len(l.kept) >= l.most {
		maps.DeleteFunc(l.kept, func(_ int, p *Program) bool { return p.stream == nil || p.stream.Ended() })
		l.most = max(16, 2*len(l.kept))
	}
	if l.kept == nil {
		l.kept = make(map[int]*Program)
	}
	l.started++
	p.number = l.started
	l.kept[p.number] = p
}

func (p *Program) begin(j *record.Job, o agent.Output) (err error) {
	name, done := j.Name(), o.Done
	o.Done = func(s agent.Status, err error) {
		done(s, err)
		attrs := []simbus.Attr{simbus.Text("command", name)}
		if err == nil || s.Code != 0 { // else nobody knows it
			attrs = append(attrs, simbus.Int("status", s.Code))
		}
		if err != nil {
			attrs = append(attrs, simbus.Text("error", err.Error()))
		}
		p.m.emit("", KindExec, attrs...)
	}
	switch j.Do {
	case record.DoExec:
		p.stream, err = p.m.agent.Exec(agentproto.ExecRequest{Args: j.Args, Env: j.Env, Window: j.Window, Terminal: j.Terminal}, o)
	case record.DoPut:
		p.stream, err = p.m.agent.Put(j.File, j.Mode, o)
	case record.DoFetch:
		p.stream, err = p.m.agent.Get(j.File, j.Window, o)
	}
	if err != nil {
		return err
	}
	if j.Do != record.DoFetch {
		p.stream.Write(j.Input)
		if !j.Open {
			p.stream.CloseInput()
		}
	}
	return nil
}

// do does an input to a job.
func (p *Program) do(in record.Input) error {
	in.Which = p.number
	return p.r.input(in, func() error {
		p.m.domain.Do(func() {
			switch s := p.stream; {
			case s == nil: // it could not be started
			case in.Do == record.DoInput && len(in.Data) > 0:
				s.Write(in.Data)
			case in.Do == record.DoInput:
				s.CloseInput()
			case in.Do == record.DoTook:
				s.Took(in.Count)
			case in.Do == record.DoResize:
				s.Resize(agentproto.Size{Cols: in.Cols, Rows: in.Rows})
			case in.Do == record.DoCancel:
				s.Kill()
			}
		})
		return nil
	})
}

// Write gives it more input; whoever gives it more than it takes heeds what
// [agent.Output] tells of as taken.
func (p *Program) Write(data []byte) {
	if len(data) > 0 {
		_ = p.do(record.Input{Do: record.DoInput, Data: data})
	}
}

// CloseInput ends its input.
func (p *Program) CloseInput() { _ = p.do(record.Input{Do: record.DoInput}) }

// Took lets n more bytes of its output come.
func (p *Program) Took(n int) { _ = p.do(record.Input{Do: record.DoTook, Count: n}) }

// Resize changes the size of its terminal.
func (p *Program) Resize(s agentproto.Size) {
	_ = p.do(record.Input{Do: record.DoResize, Cols: s.Cols, Rows: s.Rows})
}

// Cancel ends it; Done is called all the same.
func (p *Program) Cancel() { _ = p.do(record.Input{Do: record.DoCancel}) }

// Exec runs a program whose output is taken at once. cancel ends it; done is called
// all the same.
func (r *Running) Exec(board string, args []string, stdin []byte, stdout, stderr func([]byte), done func(status int, err error)) (cancel func(), err error) {
	p, err := r.Start(record.Job{Do: record.DoExec, Board: board, Args: args, Input: stdin},
		agent.Output{Stdout: stdout, Stderr: stderr, Done: func(s agent.Status, err error) { done(s.Code, err) }})
	if err != nil {
		return nil, err
	}
	return p.Cancel, nil
}

// Put writes a file on a board.
func (r *Running) Put(board, path string, data []byte, mode os.FileMode, done func(error)) error {
	_, err := r.Start(record.Job{Do: record.DoPut, Board: board, File: path, Mode: mode, Input: data},
		agent.Output{Done: func(_ agent.Status, err error) { done(err) }})
	return err
}

// MaxFetch is how long a file may be that Fetch reads, in bytes: a guest's may have no end.
const MaxFetch = 256 << 20

// Fetch reads a file on a board.
func (r *Running) Fetch(board, path string, done func([]byte, error)) error {
	var data []byte
	p := new(Program)
	return r.start(p, record.Job{Do: record.DoFetch, Board: board, File: path}, agent.Output{
		Stdout: func(b []byte) {
			if data = append(data, b...); len(data) > MaxFetch {
				p.stream.Kill()
				data = data[:MaxFetch+1]
			}
		},
		Done: func(_ agent.Status, err error) {
			if len(data) > MaxFetch {
				data, err = nil, errors.New("the file is longer than can be fetched: cp has no such limit")
			}
			done(data, err)
		}})
}
