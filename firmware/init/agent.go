package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"backplane/firmware/agentproto"
	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// agent serves the simulator's requests.
type agent struct {
	kids *children
	out  *os.File

	mu       sync.Mutex // guards out, and what follows
	requests map[uint32]*request
}

// request is one that is under way and may be given input.
type request struct {
	stdin chan []byte // an empty piece is the end of input
	gone  chan struct{}
	kill  func()
}

// serve is the agent; it returns if its channel breaks.
func serve(board *config.Board, kids *children) {
	tty, err := openRaw(board.Agent)
	if err != nil {
		complain("agent: %v", err)
		return
	}
	a := &agent{kids: kids, out: tty, requests: make(map[uint32]*request)}
	a.send(agentproto.Hello, 0, []byte(agentproto.Version))
	for {
		f, err := agentproto.Read(tty)
		if err != nil {
			complain("agent: %v", err)
			return
		}
		a.handle(f)
	}
}

// openRaw opens a tty that passes every byte as it is.
func openRaw(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "set up", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (a *agent) send(t agentproto.Type, channel uint32, payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.out.Write(agentproto.Frame{Type: t, Channel: channel, Payload: payload}.Append(nil)); err != nil {
		complain("agent: %v", err)
	}
}

// exit ends a request.
func (a *agent) exit(channel uint32, status int, err error) {
	a.mu.Lock()
	if r := a.requests[channel]; r != nil {
		close(r.gone)
		delete(a.requests, channel)
	}
	a.mu.Unlock()
	s := agentproto.ExitStatus{Status: status}
	if err != nil {
		s.Error = err.Error()
	}
	b, _ := json.Marshal(s) // cannot fail
	a.send(agentproto.Exit, channel, b)
}

func (a *agent) handle(f agentproto.Frame) {
	switch f.Type {
	case agentproto.Exec:
		var r agentproto.ExecRequest
		if err := json.Unmarshal(f.Payload, &r); err != nil || len(r.Args) == 0 {
			a.exit(f.Channel, 0, errors.New("nothing to run"))
			return
		}
		a.exec(f.Channel, r)
	case agentproto.Put, agentproto.Get:
		var r agentproto.FileRequest
		if err := json.Unmarshal(f.Payload, &r); err != nil {
			a.exit(f.Channel, 0, err)
		} else if f.Type == agentproto.Put {
			go a.put(f.Channel, r, a.open(f.Channel, nil))
		} else {
			go a.get(f.Channel, r)
		}
	case agentproto.Stdin:
		a.mu.Lock()
		r := a.requests[f.Channel]
		a.mu.Unlock()
		if r == nil {
			return // it has ended, and so has its input
		}
		select {
		case r.stdin <- f.Payload:
		case <-r.gone:
		}
	case agentproto.Kill:
		a.mu.Lock()
		r := a.requests[f.Channel]
		a.mu.Unlock()
		if r != nil && r.kill != nil {
			r.kill()
		}
	case agentproto.PowerOff:
		go a.kids.powerOff()
	}
}

// open notes a request that takes input.
func (a *agent) open(channel uint32, kill func()) *request {
	r := &request{stdin: make(chan []byte, 1024), gone: make(chan struct{}), kill: kill}
	a.mu.Lock()
	a.requests[channel] = r
	a.mu.Unlock()
	return r
}

// next is the next piece of input, empty at its end.
func (r *request) next() []byte {
	select {
	case p := <-r.stdin:
		return p
	case <-r.gone:
		return nil
	}
}

func (a *agent) exec(channel uint32, r agentproto.ExecRequest) {
	var inner, outer [3]*os.File // the program's ends of three pipes, and ours
	for i := range inner {
		in, out, err := os.Pipe()
		if err != nil {
			a.exit(channel, 0, err)
			return
		}
		if inner[i], outer[i] = out, in; i == 0 {
			inner[i], outer[i] = in, out
		}
	}
	c, err := a.kids.start(r.Args, startOptions{env: r.Env, dir: r.Dir, files: inner})
	for _, f := range inner {
		f.Close()
	}
	if err != nil {
		for _, f := range outer {
			f.Close()
		}
		a.exit(channel, 127, err)
		return
	}
	input := a.open(channel, func() { _ = unix.Kill(-c.pid, unix.SIGKILL) })
	go func() {
		defer outer[0].Close()
		for p := input.next(); len(p) > 0; p = input.next() {
			if _, err := outer[0].Write(p); err != nil {
				return // it reads no more; what still comes is dropped when it ends
			}
		}
	}()
	var output sync.WaitGroup
	for i, t := range []agentproto.Type{agentproto.Stdout, agentproto.Stderr} {
		output.Add(1)
		go func() {
			defer output.Done()
			a.copy(t, channel, outer[i+1])
			outer[i+1].Close()
		}()
	}
	go func() {
		output.Wait()
		a.exit(channel, c.wait(), nil)
	}()
}

func (a *agent) copy(t agentproto.Type, channel uint32, from io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			a.send(t, channel, buf[:n])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// put writes a file under another name first, so that it is never half there.
func (a *agent) put(channel uint32, r agentproto.FileRequest, input *request) {
	err := os.MkdirAll(filepath.Dir(r.Path), 0o755)
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(filepath.Dir(r.Path), ".put-*")
	}
	for p := input.next(); len(p) > 0; p = input.next() {
		if err == nil {
			_, err = f.Write(p)
		}
	}
	if f != nil {
		if err == nil {
			err = f.Chmod(os.FileMode(r.Mode & 0o7777))
		}
		if e := f.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = os.Rename(f.Name(), r.Path)
		} else {
			os.Remove(f.Name())
		}
	}
	a.exit(channel, 0, err)
}

func (a *agent) get(channel uint32, r agentproto.FileRequest) {
	f, err := os.Open(r.Path)
	if err == nil {
		err = a.copy(agentproto.Stdout, channel, f)
		f.Close()
	}
	a.exit(channel, 0, err)
}
