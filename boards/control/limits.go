package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"backplane/simbus/awake"

	"golang.org/x/sys/unix"
)

// limits bound what clients make the server keep, and how long.
type limits struct {
	clients int           // at a time; each keeps at most maxRequest, and what its command does
	request time.Duration // within which a client must have made its request
	slow    time.Duration // that a client has to take the rest which the server has given up
}

var defaultLimits = limits{clients: 256, request: 10 * time.Second, slow: 30 * time.Second}

const (
	// maxRequest bounds what a client says in a line: what an agent may be asked, or
	// [MaxInput] bytes of input, with their clothes.
	maxRequest = 128 << 10
	// historyLength and historyBytes are how many events are kept for those who ask what
	// has happened, and how much memory they may take.
	historyLength, historyBytes = 1000, 8 << 20
	// logLength and logBytes are the same for the lines of each console.
	logLength, logBytes = 2000, 4 << 20
	// followEvents is how many events wait for a client that follows them.
	followEvents = 4096
	// goodbye is how long a client that is refused may take to be told.
	goodbye = time.Second
)

// admit takes a client, unless it is one too many or another user's. The process is the
// client's, 0 if that is not known.
func (s *Server) admit(c net.Conn) (pid int, err error) {
	peer, err := peerOf(c)
	if err != nil {
		return 0, err
	}
	if uid := uint32(os.Geteuid()); peer.Uid != uid && peer.Uid != 0 {
		return int(peer.Pid), fmt.Errorf("the appliance is user %d's, and you are user %d", uid, peer.Uid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.limits.clients {
		return int(peer.Pid), fmt.Errorf("%d clients are connected, the most allowed: try again when one has disconnected", len(s.conns))
	}
	s.conns[c] = false
	return int(peer.Pid), nil
}

// peerOf tells who a client is. Whoever is neither this user nor root is refused; the
// socket's folder keeps others away as well, as long as nobody opens it to them.
func peerOf(c net.Conn) (peer *unix.Ucred, err error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("this is no Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("find who connects: %w", err)
	}
	return peer, nil
}

// refuse tells a client why it is not served.
func refuse(c net.Conn, why error) {
	_ = c.SetWriteDeadline(time.Now().Add(goodbye))
	if b, err := json.Marshal(Reply{Error: why.Error(), Done: true}); err == nil {
		_, _ = c.Write(append(b, '\n')) // one that is not there any more hears nothing
	}
	c.Close()
}

// request reads what the client asks for. It is nil, without an error, if the client
// has gone: it only looked whether somebody is here.
func (n *session) request() (*Request, error) {
	stop := awake.AfterFunc(n.s.limits.request, func() { _ = n.c.SetReadDeadline(time.Now()) })
	line, err := n.in.ReadSlice('\n')
	stop()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("no request has come within %s", n.s.limits.request)
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("the request is longer than %d bytes", maxRequest)
	case err != nil:
		return nil, nil
	}
	_ = n.c.SetReadDeadline(time.Time{})
	r := new(Request)
	if err := json.Unmarshal(line, r); err != nil {
		return nil, fmt.Errorf("invalid request: %w", err)
	}
	return r, r.check()
}
