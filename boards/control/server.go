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
	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"
	"backplane/simbus"
	"backplane/simbus/capture"
	"backplane/simbus/serial/outlet"

	"go.uber.org/zap"
)

// Appliance is what the server lets its clients do. It is safe for use by
// several goroutines at once.
type Appliance interface {
	States() []appliance.BoardState
	Counts() []appliance.PortCounts
	Readings() []appliance.Reading
	Places(kind string) []string // of those that a client can name: see [appliance.Running]
	State(board string) (string, error)
	Get(path string) (value, unit string, err error)
	Do(appliance.Action) error
	// Start runs a program on a board, or writes or reads a file there.
	Start(record.Job, agent.Output) (Program, error)
	// Attach calls out with what the guest sends on a console or UART. in gives it input;
	// taken is false while there is no room for that.
	Attach(path string, out func([]byte)) (in func([]byte) (taken bool, err error), detach func(), err error)
	// Outlet is the other end of a serial port's line, and what it is set to.
	Outlet(path string, p outlet.Program) (outlet.Line, outlet.Settings, error)
	// Capture begins a live capture of those places into w.
	Capture(at []string, filter string, snap int, w io.Writer) (*capture.Live, error)
}

// Program is a [appliance.Program].
type Program interface {
	Write(p []byte)
	CloseInput()
	Took(n int)
	Resize(agentproto.Size)
	Cancel()
}

// Server serves one appliance on its socket.
type Server struct {
	app    Appliance
	logger *zap.Logger
	ln     *net.UnixListener
	path   string
	down   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup

	using    sync.WaitGroup // connections that may use the appliance
	finished chan struct{}  // closed when nothing more of the appliance is to come
	result   error          // what could not be saved, then

	limits limits

	mu      sync.Mutex
	conns   map[net.Conn]bool // true for those that wait for the end
	follow  map[chan simbus.Event]net.Conn
	history *simbus.Recent
	log     map[string]*simbus.Recent // board:console: its lines
}

// Listen begins to serve the appliance that has the name. The log, which may be nil, is
// told what clients want.
func (c *Claim) Listen(app Appliance, log *zap.Logger) (*Server, error) {
	if log == nil {
		log = zap.NewNop()
	}
	path := c.path
	// The folder is private already; the mask keeps the socket so if it is moved.
	old := syscall.Umask(0o177)
	var ln *net.UnixListener
	err := reach(path, func(address string) (err error) {
		ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false) // the address may lead there no more
	s := &Server{app: app, logger: log.Named("control"), ln: ln, path: path, down: make(chan struct{}),
		limits: defaultLimits, finished: make(chan struct{}), conns: make(map[net.Conn]bool), follow: make(map[chan simbus.Event]net.Conn),
		history: simbus.NewRecent(historyLength, historyBytes), log: make(map[string]*simbus.Recent)}
	s.logger.Info("listen", zap.String("socket", path))
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Down is closed when a client has asked for the end.
func (s *Server) Down() <-chan struct{} { return s.down }

// Stop ends the server's connections but those that wait for the appliance's end;
// there will be no others. After it nobody uses the appliance any more.
func (s *Server) Stop() {
	_ = os.Remove(s.path) // for clients there is no such appliance any more
	s.ln.Close()
	s.mu.Lock()
	for c, waits := range s.conns {
		if !waits {
			c.Close()
		}
	}
	s.mu.Unlock()
	s.using.Wait()
}

// Finish tells those who wait for the end that all is written, or what is not, and
// ends the server. Stop comes before.
func (s *Server) Finish(result error) {
	s.result = result
	close(s.finished)
	s.wg.Wait()
}

func (s *Server) accept() {
	defer s.wg.Done()
	for failing := false; ; {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, for now: the client waits
			if !failing {
				s.logger.Warn("cannot accept clients", zap.Error(err))
			}
			failing = true
			time.Sleep(acceptAgain)
			continue
		}
		failing = false
		pid, err := s.admit(c)
		if err != nil {
			s.logger.Warn("refused", clientPID(pid), zap.Error(err))
			refuse(c, err)
			continue
		}
		s.wg.Add(1)
		s.using.Add(1)
		go func() {
			defer s.wg.Done()
			if n := s.serve(c, pid); n != nil {
				s.using.Done()
				n.end()
			} else {
				s.using.Done()
			}
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

// acceptAgain is how soon a connection is tried again that could not be accepted.
const acceptAgain = 100 * time.Millisecond

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

// serve does what a client asks for. It returns the session of one that waits for
// the end.
func (s *Server) serve(c net.Conn, pid int) *session {
	n := &session{s: s, c: c, in: bufio.NewReaderSize(c, maxRequest)}
	r, err := n.request()
	if err != nil {
		s.logger.Warn("no request", clientPID(pid), zap.Error(err))
		n.reply(Reply{Error: err.Error(), Done: true})
		return nil
	}
	if r == nil {
		return nil
	}
	done := s.logRequest(r, pid)
	err = n.handle(r)
	done(err)
	if err != nil {
		n.reply(Reply{Error: err.Error(), Wrong: errors.As(err, new(*boards.UnknownError)), Done: true})
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c] {
		return n
	}
	return nil
}

// await lets the session wait for the end, when it is done with the appliance.
func (n *session) await() {
	n.s.mu.Lock()
	n.s.conns[n.c] = true
	n.s.mu.Unlock()
}

// end waits for the end.
func (n *session) end() {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = n.in.ReadByte() // a client says nothing more: this ends when it goes
	}()
	select {
	case <-n.s.finished:
		last := Reply{Done: true}
		if err := n.s.result; err != nil {
			last.Error = err.Error()
		}
		n.reply(last)
	case <-gone:
	}
}

// handle does a command.
func (n *session) handle(r *Request) error {
	if k, ok := appliance.FindAction(r.Command); ok {
		if err := n.s.app.Do(appliance.Action{Kind: k, Place: r.Path, Value: r.Value, Data: r.Data}); err != nil {
			return err
		}
		n.reply(Reply{Done: true})
		return nil
	}
	if do, ok := commands[r.Command]; ok {
		return do(n, r)
	}
	return fmt.Errorf("unknown command %q", r.Command)
}
