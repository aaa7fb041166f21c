package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/control"

	"golang.org/x/sys/unix"
)

// fault is something that goes wrong, or that somebody does, at some moment.
type fault struct {
	name   string
	weight int
	do     func(*plant, *rand.Rand) error // errors are of the host or the control socket: a refusal is none
}

var faults = []fault{
	{"pull a plug", 6, func(p *plant, r *rand.Rand) error { return p.ask("pull_plug", anyBoard(r), "") }},
	{"power on", 16, func(p *plant, r *rand.Rand) error { return p.ask("power_on", p.down(r), "") }},
	{"power off", 4, func(p *plant, r *rand.Rand) error { return p.ask("power_off", anyBoard(r), "") }},
	{"reset", 4, func(p *plant, r *rand.Rand) error { return p.program(r, "reboot -f", "") }},
	{"panic", 1, func(p *plant, r *rand.Rand) error { return p.program(r, "kill -QUIT 1", "") }},
	{"cut", 10, func(p *plant, r *rand.Rand) error { return p.ask("cut", pick(r, p.r.Places("link")), "") }},
	{"restore", 10, func(p *plant, r *rand.Rand) error { return p.ask("restore", pick(r, p.r.Places("link")), "") }},
	{"unplug", 8, func(p *plant, r *rand.Rand) error { return p.ask("unplug", pick(r, p.r.Places("plug")), "") }},
	{"plug", 8, func(p *plant, r *rand.Rand) error { return p.ask("plug", pick(r, p.r.Places("plug")), "") }},
	{"set", 20, func(p *plant, r *rand.Rand) error {
		return p.ask("set", pick(r, p.r.Places("action")), pick(r, oddValues))
	}},
	{"get", 4, func(p *plant, r *rand.Rand) error { return p.ask("get", pick(r, p.r.Places("property")), "") }},
	{"kill a kernel", 3, func(p *plant, r *rand.Rand) error { return p.signal(r, false, unix.SIGKILL, 0) }},
	{"stop a kernel", 3, func(p *plant, r *rand.Rand) error { return p.signal(r, false, unix.SIGSTOP, moment(r)) }},
	{"kill a process of user space", 4, func(p *plant, r *rand.Rand) error { return p.signal(r, true, unix.SIGKILL, 0) }},
	{"stop a process of user space", 3, func(p *plant, r *rand.Rand) error { return p.signal(r, true, unix.SIGSTOP, moment(r)) }},
	{"a program", 8, func(p *plant, r *rand.Rand) error { return p.program(r, "echo x; usleep 20000; seq 100", "") }},
	{"a program with input", 6, func(p *plant, r *rand.Rand) error {
		return p.program(r, "cat", strings.Repeat("input ", 1+r.IntN(4000)))
	}},
	{"a console", 8, console},
	{"half a request", 12, halfRequest},
	{"a follower that does not read", 3, func(p *plant, r *rand.Rand) error {
		return p.visit(control.Request{Command: "events", Follow: true}, moment(r), 0)
	}},
	{"a capture", 4, func(p *plant, r *rand.Rand) error {
		return p.visit(control.Request{Command: "capture", Args: []string{pick(r, p.r.Places("capture"))}}, moment(r), r.IntN(20000))
	}},
	{"a reader of the named pipe", 4, readFIFO},
	{"a file", 4, func(p *plant, r *rand.Rand) error {
		return p.job(control.Request{Command: "put", Path: anyBoard(r), Value: "/tmp/f", Mode: 0o600}, r, strings.Repeat("z", r.IntN(100000)))
	}},
	{"a flood of a console", 2, func(p *plant, r *rand.Rand) error {
		return p.program(r, "head -c 30000 /dev/urandom >/dev/console", "")
	}},
	{"a flood of a UART", 2, func(p *plant, r *rand.Rand) error {
		return p.program(r, "timeout 1 head -c 3000 /dev/urandom >/dev/ttyS1", "")
	}},
	{"a flood of frames", 2, func(p *plant, r *rand.Rand) error {
		return p.program(r, fmt.Sprintf("load send 10.0.0.%d:9 %d 2ms", 1+r.IntN(plantBoards), 1+r.IntN(1400)), "")
	}},
	{"garbage for chips", 2, func(p *plant, r *rand.Rand) error {
		return p.program(r, fmt.Sprintf("for i in 1 2 3 4 5; do i2cset -y 1 0x%x 0x%x 0x%x w; i2cget -y 1 0x%x; done", 0x40+r.IntN(16), r.IntN(256), r.IntN(65536), r.IntN(128)), "")
	}},
}

// oddValues are what settings are set to: right for some, wrong for most.
var oddValues = []string{"0", "1", "-1", "0.5", "1e300", "-1e300", "NaN", "inf", "", " ", "float", "up", "down", "low", "high", "on", "true", "100",
	"1ms", "0s", "-5us", "99999h", "2562047h47m16.854775807s", "10Mbit/s", "0bit/s", "9223372036854775807", "9223372036854775808", "0x10", "64K",
	"\x00", "\xff\xfe", strings.Repeat("9", 400), strings.Repeat("ä", 2000), "{}", "'; rm", "1\n2"}

// pickFault takes one by its weight.
func pickFault(r *rand.Rand) *fault {
	sum := 0
	for i := range faults {
		sum += faults[i].weight
	}
	n := r.IntN(sum)
	for i := range faults {
		if n -= faults[i].weight; n < 0 {
			return &faults[i]
		}
	}
	panic("not reached")
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
func anyBoard(r *rand.Rand) string            { return fmt.Sprintf("b%d", r.IntN(plantBoards)) }

// down is a board that is not up, if there is one.
func (p *plant) down(r *rand.Rand) string {
	first := r.IntN(plantBoards)
	for i := range plantBoards {
		b := fmt.Sprintf("b%d", (first+i)%plantBoards)
		if state, err := p.r.State(b); err == nil && state != appliance.StateUp && state != appliance.StateBooting {
			return b
		}
	}
	return anyBoard(r)
}

// moment is a short time of the host's, mostly a very short one.
func moment(r *rand.Rand) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(10*time.Millisecond))
}

// ask does a command that changes something. Whether it is refused depends on the moment.
func (p *plant) ask(command, path, value string) error {
	return p.request(control.Request{Command: command, Path: path, Value: value})
}

// request waits until it is done, or refused.
func (p *plant) request(r control.Request) error {
	c, err := control.Dial(p.name)
	if err != nil {
		return err
	}
	defer c.Close()
	defer p.within(r.Command + " " + r.Path + " to be done")()
	_, err = c.Do(r, func(control.Reply) error { return nil })
	return lost(err)
}

// lost is an error that is no refusal: the connection has gone.
func lost(err error) error {
	var n net.Error
	if errors.Is(err, control.ErrEnded) || errors.As(err, &n) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}

// program runs a line of shell on a board, and may go before it has ended.
func (p *plant) program(r *rand.Rand, script, input string) error {
	return p.job(control.Request{Command: "exec", Path: anyBoard(r), Args: []string{"/bin/sh", "-c", script}}, r, input)
}

func (p *plant) job(request control.Request, r *rand.Rand, input string) error {
	if state, err := p.r.State(request.Path); err != nil || state != appliance.StateUp {
		return err // a board that boots would be waited for
	}
	c, err := control.Dial(p.name)
	if err != nil {
		return err
	}
	defer c.Close()
	stay := 2 * time.Second
	if r.IntN(3) == 0 {
		stay = moment(r)
	}
	end := time.AfterFunc(stay, func() { c.Close() })
	defer end.Stop()
	if c.Send(request) != nil {
		return nil // it has gone already
	}
	for data := []byte(input); len(data) > 0; {
		n := min(len(data), control.MaxInput)
		if c.Give(control.Input{Data: data[:n]}) != nil {
			return nil
		}
		data = data[n:]
	}
	_ = c.Give(control.Input{End: true})
	for {
		if reply, err := c.Next(); err != nil || reply.Done {
			return nil
		}
	}
}

// visit asks for something without an end, reads so many bytes of it, and goes.
func (p *plant) visit(request control.Request, stay time.Duration, bytes int) error {
	c, err := control.Dial(p.name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(request); err != nil {
		return err
	}
	end := time.AfterFunc(stay, func() { c.Close() })
	defer end.Stop()
	if bytes > 0 {
		_, _ = io.CopyN(io.Discard, c, int64(bytes))
	} else {
		time.Sleep(stay)
	}
	return nil
}

// console attaches to a console or UART, types, reads, and goes.
func console(p *plant, r *rand.Rand) error {
	c, err := control.Dial(p.name)
	if err != nil {
		return err
	}
	defer c.Close()
	end := time.AfterFunc(moment(r), func() { c.Close() })
	defer end.Stop()
	if c.Send(control.Request{Command: "console", Path: pick(r, p.r.Places("console"))}) != nil {
		return nil
	}
	for range 5 {
		typed := make([]byte, 1+r.IntN(200))
		for i := range typed {
			typed[i] = byte(r.IntN(256))
		}
		if c.Give(control.Input{Data: typed, End: r.IntN(20) == 0}) != nil {
			return nil
		}
		if _, err := c.Next(); err != nil {
			return nil
		}
	}
	return nil
}

// halfRequest says something to the control socket that is no request, or not all of one.
func halfRequest(p *plant, r *rand.Rand) error {
	path, err := control.Path(p.name)
	if err != nil {
		return err
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	whole := []string{`{"command":"exec","path":"b1","args":["/bin/sh","-c","echo"]}`, `{"command":"capture","args":["lan0"],"snap":-1}`,
		`{"command":"events","follow":true,"lines":-1}`, `{"command":"console","path":"b1:uart1"}`, `{"command":"wait","value":"up"}`,
		`{"command":"logs","args":["b3"],"lines":99999999999}`, `[[[[[[`, "\x00\x01\x02\xff", strings.Repeat("[", 1<<17), `{"command":5}`}
	text := pick(r, whole)
	switch r.IntN(3) {
	case 0:
		text = text[:r.IntN(len(text))]
	case 1:
		text += "\n" + text[:r.IntN(len(text))]
	default:
		text += "\n"
	}
	_ = c.SetDeadline(time.Now().Add(moment(r)))
	_, _ = io.WriteString(c, text) // it may be cut off
	_, _ = c.Read(make([]byte, 1+r.IntN(4096)))
	return nil
}

// readFIFO reads a live capture from its named pipe for a moment.
func readFIFO(p *plant, r *rand.Rand) error {
	f, err := os.OpenFile(p.fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(moment(r)))
	_, _ = io.CopyN(io.Discard, f, int64(r.IntN(100000)))
	return nil
}

// signal sends a signal to a board's kernel, or to one of the processes in which its
// programs run. One that stops is followed by SIGCONT.
func (p *plant) signal(r *rand.Rand, user bool, s unix.Signal, stay time.Duration) error {
	pid, err := p.r.KernelPID(anyBoard(r))
	if err != nil {
		return nil // it is off
	}
	if user {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // it may have ended meanwhile
		list := bytes.Fields(children)
		if len(list) == 0 {
			return nil
		}
		if pid, err = strconv.Atoi(string(list[r.IntN(len(list))])); err != nil {
			return err
		}
	}
	if s == unix.SIGKILL {
		return gone(unix.Kill(pid, s))
	}
	err = gone(unix.Kill(pid, s))
	time.Sleep(min(stay, 100*time.Millisecond))
	return errors.Join(err, gone(unix.Kill(pid, unix.SIGCONT)))
}

// gone is an error that is not that there is no such process any more.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}
