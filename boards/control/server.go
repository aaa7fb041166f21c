package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"backplane/boards"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"
	"backplane/simbus"
)

// Appliance is what the server lets its clients do. It is safe for use by
// several goroutines at once.
type Appliance interface {
	// Status is a line for each board, with a heading.
	Status() []string
	Network() []string // a line of text for each direction of each port
	Get(path string) (value, unit string, err error)
	Set(path, value string) error
	// Start runs a program on a board, or writes or reads a file there.
	Start(boards.Job, agent.Output) (Program, error)
	// Attach calls out with what the guest sends on a console or UART.
	Attach(path string, out func([]byte)) (in func([]byte), detach func(), err error)
	// Capture begins a live capture of those places into w.
	Capture(at []string, filter string, snap int, w io.Writer) (*simbus.Live, error)
}

// Program is a [boards.Program].
type Program interface {
	Write(p []byte)
	CloseInput()
	Took(n int)
	Resize(agentproto.Size)
	Cancel()
}

// Server serves one appliance on its socket.
type Server struct {
	app  Appliance
	ln   *net.UnixListener
	path string
	down chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	follow  map[chan simbus.Event]struct{}
	history []simbus.Event
}

// historyLength is how many events `events` shows that does not follow.
const historyLength = 1000

// Listen begins to serve the appliance that has the name.
func (c *Claim) Listen(app Appliance) (*Server, error) {
	path := c.path
	_ = os.Remove(path) // left behind by one that was killed
	// The folder is private already; the mask keeps the socket so if it is moved.
	old := syscall.Umask(0o177)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	s := &Server{app: app, ln: ln, path: path, down: make(chan struct{}),
		conns: make(map[net.Conn]struct{}), follow: make(map[chan simbus.Event]struct{})}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Down is closed when a client has asked for the end.
func (s *Server) Down() <-chan struct{} { return s.down }

// Event shows an event to those who follow. It never waits for a slow one,
// whose connection ends instead.
func (s *Server) Event(e *simbus.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.history = append(s.history, *e); len(s.history) >= 2*historyLength {
		s.history = append(s.history[:0], s.history[historyLength:]...)
	}
	for ch := range s.follow {
		select {
		case ch <- *e:
		default:
			delete(s.follow, ch)
			close(ch)
		}
	}
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	_ = os.Remove(s.path)
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, for now: the client waits
			time.Sleep(acceptAgain)
			continue
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			s.serve(c)
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

// acceptAgain is how soon a connection is tried again that could not be accepted.
const acceptAgain = 100 * time.Millisecond

// maxRequest bounds what a client says in a line: what an agent may be asked, or
// [MaxInput] bytes of input, with their clothes.
const maxRequest = 128 << 10

// session is one connection.
type session struct {
	s   *Server
	c   net.Conn
	in  *bufio.Reader
	mu  sync.Mutex
	err error
}

// reply sends one answer; false means that the client has gone.
func (n *session) reply(r Reply) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		var b []byte
		if b, n.err = json.Marshal(r); n.err == nil {
			_, n.err = n.c.Write(append(b, '\n'))
		}
	}
	return n.err == nil
}

func (s *Server) serve(c net.Conn) {
	n := &session{s: s, c: c, in: bufio.NewReaderSize(c, maxRequest)}
	line, err := n.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		n.reply(Reply{Error: fmt.Sprintf("the request is longer than %d bytes", maxRequest), Done: true})
		return
	}
	if err != nil {
		return // it only looked whether somebody is here
	}
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		n.reply(Reply{Error: "not a request: " + err.Error(), Done: true})
		return
	}
	if err := n.handle(&r); err != nil {
		n.reply(Reply{Error: err.Error(), Done: true})
	}
}

func (n *session) handle(r *Request) error {
	app := n.s.app
	switch r.Command {
	case "ps":
		for _, line := range app.Status() {
			n.reply(Reply{Text: line})
		}
	case "net":
		for _, line := range app.Network() {
			n.reply(Reply{Text: line})
		}
	case "get":
		v, unit, err := app.Get(r.Path)
		if err != nil {
			return err
		}
		if unit != "" {
			v += " " + unit
		}
		n.reply(Reply{Text: v})
	case "set":
		if err := app.Set(r.Path, r.Value); err != nil {
			return err
		}
	case "exec":
		return n.job(boards.Job{Do: boards.DoExec, Board: r.Path, Args: r.Args, Env: r.Env, Terminal: r.Terminal})
	case "put":
		return n.job(boards.Job{Do: boards.DoPut, Board: r.Path, File: r.Value, Mode: r.Mode})
	case "fetch":
		return n.job(boards.Job{Do: boards.DoFetch, Board: r.Path, File: r.Value})
	case "console":
		return n.console(r)
	case "events":
		return n.events(r.Follow)
	case "capture":
		return n.capture(r)
	case "down":
		n.s.once.Do(func() { close(n.s.down) })
	default:
		return fmt.Errorf("unknown command %q", r.Command)
	}
	n.reply(Reply{Done: true})
	return nil
}

func (n *session) console(r *Request) error {
	// What the guest sends must not wait for a slow terminal.
	out := make(chan []byte, 1024)
	in, detach, err := n.s.app.Attach(r.Path, func(p []byte) {
		select {
		case out <- append([]byte(nil), p...):
		default: // the terminal is too slow: it loses output, the guest does not wait
		}
	})
	if err != nil {
		return err
	}
	defer func() {
		detach()
		close(out)
	}()
	n.reply(Reply{})
	go func() {
		for p := range out {
			if _, err := n.c.Write(p); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 4096)
	for {
		k, err := n.in.Read(buf)
		if k > 0 {
			in(append([]byte(nil), buf[:k]...))
		}
		if err != nil {
			return nil
		}
	}
}

func (n *session) events(follow bool) error {
	s := n.s
	ch := make(chan simbus.Event, 4096)
	s.mu.Lock()
	past := append([]simbus.Event(nil), s.history...)
	if follow {
		s.follow[ch] = struct{}{}
	}
	s.mu.Unlock()
	show := func(e *simbus.Event) bool { return n.reply(Reply{Event: e.AppendJSON(nil)}) }
	if !follow {
		for i := range past[max(0, len(past)-historyLength):] {
			show(&past[i])
		}
		n.reply(Reply{Done: true})
		return nil
	}
	defer func() {
		s.mu.Lock()
		delete(s.follow, ch)
		s.mu.Unlock()
	}()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = n.in.ReadByte()
	}()
	for {
		select {
		case e, ok := <-ch:
			if !ok {
				return errors.New("events come faster than they can be shown here")
			}
			if !show(&e) {
				return nil
			}
		case <-gone:
			return nil
		}
	}
}
