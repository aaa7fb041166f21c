package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"backplane/firmware/agentproto"
	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// agent serves the simulator's requests.
type agent struct {
	kids *children
	// patience is that of powerOff.
	patience time.Duration
	cpus     *cpus
	plugs    *plugging
	out      *os.File

	mu       sync.Mutex // guards out, and what follows
	requests map[uint32]*request
}

// serve is the agent; it returns if its channel breaks.
func serve(board *config.Board, plugs *plugging, kids *children) {
	tty, err := openRaw(board.Agent)
	if err != nil {
		complain("agent: %v", err)
		return
	}
	a := &agent{kids: kids, plugs: plugs, patience: board.Shutdown, out: tty, requests: make(map[uint32]*request)}
	for _, f := range failures {
		a.send(agentproto.Failure, 0, []byte(f[:min(len(f), agentproto.MaxPayload)]))
	}
	a.cpus = watchCPUs(a.tellCPUs)
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

// tellCPUs tells how many CPUs are online.
func (a *agent) tellCPUs(online int) {
	b, _ := json.Marshal(agentproto.CPUCount{Online: online}) // cannot fail
	a.send(agentproto.CPUs, 0, b)
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
func (a *agent) exit(channel uint32, s agentproto.ExitStatus, err error) {
	a.mu.Lock()
	r := a.requests[channel]
	delete(a.requests, channel)
	a.mu.Unlock()
	if r != nil {
		r.end()
	}
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
			a.exit(f.Channel, agentproto.ExitStatus{}, errors.New("nothing to run"))
			return
		}
		a.exec(r, a.open(f.Channel, r.Window))
	case agentproto.Put, agentproto.Get:
		var r agentproto.FileRequest
		if err := json.Unmarshal(f.Payload, &r); err != nil {
			a.exit(f.Channel, agentproto.ExitStatus{}, err)
		} else if f.Type == agentproto.Put {
			go a.put(r, a.open(f.Channel, 0))
		} else {
			go a.get(r, a.open(f.Channel, r.Window))
		}
	case agentproto.CPUs: // here, so that what is asked for next finds them done
		var n agentproto.CPUCount
		err := json.Unmarshal(f.Payload, &n)
		if err == nil {
			err = a.cpus.set(n.Online)
		}
		a.exit(f.Channel, agentproto.ExitStatus{}, err)
	case agentproto.Plugged:
		var more config.Board
		if err := json.Unmarshal(f.Payload, &more); err != nil {
			complain("what was plugged: %v", err)
			return
		}
		a.plugs.add(&more)
	case agentproto.PowerOff:
		go a.kids.powerOff(a.patience)
	default:
		a.mu.Lock()
		r := a.requests[f.Channel]
		a.mu.Unlock()
		if r != nil { // else it has ended, and so has its input
			r.handle(f)
		}
	}
}

// handle takes a frame for a request that is under way.
func (r *request) handle(f agentproto.Frame) {
	switch f.Type {
	case agentproto.Stdin:
		r.give(f.Payload)
	case agentproto.Credit:
		if n, err := agentproto.ParseCredit(f.Payload, math.MaxInt32); err == nil {
			r.credit(n)
		}
	case agentproto.Resize:
		if size, err := agentproto.ParseSize(f.Payload); err == nil && r.tty != nil {
			_ = resize(r.tty, size) // it has ended meanwhile
		}
	case agentproto.Kill:
		r.kill()
	}
}

// exec runs a program on three pipes, or on a terminal.
func (a *agent) exec(e agentproto.ExecRequest, r *request) {
	var inner, outer [3]*os.File // the program's ends, and ours
	var err error
	if e.Terminal != nil {
		inner[0], outer[0], err = openTerminal(*e.Terminal)
		inner[1], inner[2], r.tty = inner[0], inner[0], outer[0]
	} else {
		inner, outer, err = pipes()
	}
	var c *child
	if err == nil {
		c, err = a.kids.start(e.Args, startOptions{env: e.Env, dir: e.Dir, files: inner, session: r.tty != nil})
	}
	closeAll(inner[:])
	if err != nil {
		closeAll(outer[:])
		a.exit(r.channel, agentproto.ExitStatus{Status: notStarted(err)}, err)
		return
	}
	r.kill = func() {
		r.end()
		_ = unix.Kill(-c.pid, unix.SIGKILL)
		if r.tty == nil {
			for _, f := range outer[1:] { // others of its making may hold it open for ever
				_ = f.SetReadDeadline(time.Now())
			}
		}
	}
	go r.feed(outer[0])
	if r.tty != nil {
		go a.onTerminal(c, r)
		return
	}
	var output sync.WaitGroup
	for i, t := range []agentproto.Type{agentproto.Stdout, agentproto.Stderr} {
		output.Go(func() {
			_ = r.copy(t, outer[i+1])
			outer[i+1].Close()
		})
	}
	go func() {
		output.Wait()
		a.exit(r.channel, agentproto.ExitStatus{Status: c.wait()}, nil)
	}()
}

// notStarted is the status of a program that could not be started, as a shell has it
// (POSIX.1-2024 Shell & Utilities 2.8.2).
func notStarted(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// feed gives a program its input, and closes it at its end.
func (r *request) feed(to *os.File) {
	_, err := io.Copy(to, r)
	switch {
	case r.tty == nil:
		to.Close()
	case err == nil:
		_, _ = to.Write([]byte{endOfTransmission}) // as a user types it
	}
	_, _ = io.Copy(io.Discard, r) // it reads no more: drop what still comes
}

// endOfTransmission is the character that ends a terminal's input: Ctrl-D.
const endOfTransmission = 4

// onTerminal passes a program's output on until it ends. Others that it has left
// on the terminal lose that.
func (a *agent) onTerminal(c *child, r *request) {
	output := make(chan struct{})
	go func() {
		defer close(output)
		_ = r.copy(agentproto.Stdout, r.tty) // it ends with EIO when nobody has the terminal open
	}()
	status := c.wait()
	_ = r.tty.SetReadDeadline(time.Now().Add(lastOutput))
	<-output
	a.exit(r.channel, agentproto.ExitStatus{Status: status}, nil)
	r.tty.Close()
}

// lastOutput is how long what a program has written takes through its terminal at most.
const lastOutput = 100 * time.Millisecond

func pipes() (inner, outer [3]*os.File, err error) {
	for i := range inner {
		in, out, err := os.Pipe()
		if err != nil {
			closeAll(append(inner[:], outer[:]...))
			return inner, outer, err
		}
		if inner[i], outer[i] = out, in; i == 0 {
			inner[i], outer[i] = in, out
		}
	}
	return inner, outer, nil
}

// closeAll closes all files that are open.
func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// put writes a file under another name first, so that it is never half there.
func (a *agent) put(f agentproto.FileRequest, r *request) {
	a.exit(r.channel, agentproto.ExitStatus{}, put(f, r))
}

func put(r agentproto.FileRequest, from io.Reader) error {
	if info, err := os.Stat(r.Path); err == nil && info.IsDir() {
		return &os.PathError{Op: "write", Path: r.Path, Err: unix.EISDIR}
	}
	if err := os.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(r.Path), ".put-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Chmod(os.FileMode(r.Mode & 0o7777))
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), r.Path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (a *agent) get(g agentproto.FileRequest, r *request) {
	var s agentproto.ExitStatus
	f, err := os.Open(g.Path)
	if err == nil {
		if info, e := f.Stat(); e == nil {
			s.Mode = uint32(info.Mode().Perm())
		}
		err = r.copy(agentproto.Stdout, f)
		f.Close()
	}
	a.exit(r.channel, s, err)
}
