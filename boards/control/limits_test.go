package control

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// TestThousandClients connects 1,000 at once, each with a command that does not end: as
// many as there may be are served, the others are told why not, and when those have gone
// that are served, others are.
func TestThousandClients(t *testing.T) {
	s := serve(t)
	const all = 1000
	conns, errs := make([]*Conn, all), make([]error, all)
	var answered sync.WaitGroup
	for i := range all {
		c, err := Dial("")
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		answered.Add(1)
		go func() {
			defer answered.Done()
			if errs[i] = c.Send(Request{Command: "events", Follow: true}); errs[i] == nil {
				_, errs[i] = c.Next()
			}
		}()
	}
	end := make(chan struct{})
	var events sync.WaitGroup
	events.Add(1)
	go func() { // until each that is served has seen one
		defer events.Done()
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Millisecond):
				s.Event(&simbus.Event{Time: 7, Kind: "step"})
			}
		}
	}()
	answered.Wait()
	close(end)
	events.Wait()
	refused := 0
	for i, err := range errs {
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "256 clients are connected, the most allowed") {
				t.Errorf("client %d: %v", i, err)
			}
		}
		conns[i].Close()
	}
	if refused != all-256 {
		t.Errorf("%d were refused", refused)
	}
	for { // up to the test's own limit: those that go take a moment
		_, _, err := do(t, Request{Command: "ps"})
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "the most allowed") {
			t.Fatal(err)
		}
	}
}

// TestTenThousandConnections has as many as may be served follow the events while ten
// thousand others come at once, and stay: each of these is told why it is not served,
// those that are served go on, and when all have gone nothing of them is left.
func TestTenThousandConnections(t *testing.T) {
	const all = 10_000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < all+1000 {
		t.Skipf("this test needs more than %d file descriptors, and may have %d (%v)", all, limit.Cur, err)
	}
	s := serve(t)
	before, files := runtime.NumGoroutine(), descriptors(t)
	follows := make([]*Conn, defaultLimits.clients)
	for i := range follows {
		follows[i] = dial(t)
		if err := follows[i].Send(Request{Command: "events", Follow: true}); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(what string) { // by all that follow
		t.Helper()
		for i, c := range follows {
			for {
				s.Event(&simbus.Event{Time: 7, Kind: "step"})
				_ = c.c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				_, err := c.Next()
				if err == nil {
					break
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) { // it does not follow yet
					t.Fatalf("%s: client %d: %v", what, i, err)
				}
			}
		}
	}
	seen("before")
	refused := make([]*Conn, all)
	var group sync.WaitGroup
	for worker := range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := worker; i < all; i += 20 {
				c, err := Dial("")
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				refused[i] = c
			}
		}()
	}
	group.Wait()
	for i, c := range refused {
		if c == nil {
			continue
		}
		if _, err := c.Next(); err == nil || !strings.Contains(err.Error(), "256 clients are connected, the most allowed") {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	seen("meanwhile")
	follows[0].Close()
	for { // until its place is free
		c, err := Dial("")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(Request{Command: "ps"}, func(Reply) error { return nil })
		c.Close()
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "the most allowed") {
			t.Fatal(err)
		}
	}
	for _, c := range slices.Concat(follows, refused) {
		if c != nil {
			c.Close()
		}
	}
	for runtime.NumGoroutine() > before || descriptors(t) > files { // up to the test's own limit
		s.Event(&simbus.Event{Time: 7, Kind: "step"}) // a follower that has gone is found out by that
		time.Sleep(time.Millisecond)
	}
}

// descriptors is how many this program has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// with lets the servers of a test have other limits.
func with(t *testing.T, l limits) {
	old := defaultLimits
	defaultLimits = l
	t.Cleanup(func() { defaultLimits = old })
}

// TestClientThatAsksNothing is closed, with a reason, as is one that stops within its request.
func TestClientThatAsksNothing(t *testing.T) {
	with(t, limits{clients: 9, request: 50 * time.Millisecond, slow: time.Second})
	serve(t)
	for _, said := range []string{"", `{"command":"p`} {
		c := dial(t)
		if _, err := c.c.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(); err == nil || !strings.Contains(err.Error(), "no request has come within 50ms") {
			t.Errorf("after %q: %v", said, err)
		}
	}
	c := dial(t) // one that has asked may wait
	if err := c.Send(Request{Command: "wait", Value: Off}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if _, _, err := do(t, Request{Command: "set", Path: "state", Value: "off"}); err != nil {
		t.Fatal(err)
	}
}

// TestFollowerThatDoesNotRead loses its place, and with it its connection; what it reads
// then says why.
func TestFollowerThatDoesNotRead(t *testing.T) {
	with(t, limits{clients: 9, request: time.Second, slow: 50 * time.Millisecond})
	s := serve(t)
	c := dial(t)
	if err := c.Send(Request{Command: "events", Follow: true}); err != nil {
		t.Fatal(err)
	}
	e := simbus.Event{Time: 7, Kind: appliance.KindConsole, Attrs: []simbus.Attr{simbus.Text("line", strings.Repeat("x", 4000))}}
	clients := func() (follow, conns int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.follow), len(s.conns)
	}
	for follow := 0; follow == 0; follow, _ = clients() {
		time.Sleep(time.Millisecond)
	}
	for follow := 1; follow > 0; follow, _ = clients() {
		s.Event(&e)
	}
	for conns := 1; conns > 0; _, conns = clients() { // up to the test's own limit
		time.Sleep(time.Millisecond)
	}
	for {
		if _, err := c.Next(); err != nil {
			if !strings.Contains(err.Error(), "too slowly") && !strings.Contains(err.Error(), "faster than they can be shown") {
				t.Error(err)
			}
			return
		}
	}
}

// TestClientOfAnotherUser connects as user 65534, to a socket whose folder somebody has
// opened to all.
func TestClientOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	s := serve(t)
	for dir := filepath.Dir(s.path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.path, 0o777); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "client")
	defer f.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and end with it: it has another user's rights
		const same = ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, same, 65534, same); errno != 0 {
			done <- errno
			return
		}
		done <- unix.Connect(fd, &unix.SockaddrUnix{Name: s.path})
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	n, err := f.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), "the appliance is user 0's, and you are user 65534") {
		t.Errorf("it is told %q, %v", buf[:n], err)
	}
}

// TestRequestsAreChecked: what comes by the socket is checked as what stands in a file.
func TestRequestsAreChecked(t *testing.T) {
	serve(t)
	tests := []struct {
		r    Request
		want string
	}{
		{Request{Command: "capture", Args: []string{"lan"}, Snap: -1}, "snap is -1; it must be 0 to 65535 bytes"},
		{Request{Command: "capture", Args: []string{"lan"}, Snap: 65536}, "snap is 65536; it must be 0 to 65535 bytes"},
		{Request{Command: "capture"}, "name where to capture"},
		{Request{Command: "capture", Args: []string{"lan", "lan"}}, "lan is named twice"},
		{Request{Command: "logs", Lines: -1}, "lines is -1"},
		{Request{Command: "exec", Path: "sensor", Args: []string{"a\x00b"}}, `"a\x00b" contains a NUL`},
		{Request{Command: "exec", Path: "sensor", Args: []string{"a"}, Env: []string{"A=\x00"}}, "contains a NUL"},
		{Request{Command: "put", Path: "sensor", Value: "/a\x00b"}, "contains a NUL"},
		{Request{Command: "put", Path: "sensor", Value: "/a", Mode: os.ModeSymlink | 0o644}, "must be at most 0777"},
	}
	for _, tt := range tests {
		if _, _, err := do(t, tt.r); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.r, err, tt.want)
		}
	}
}
