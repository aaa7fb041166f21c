package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"
	"backplane/simbus"
	"backplane/simbus/capture"
	"backplane/simbus/ether"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// fake is an appliance of one board that echoes.
type fake struct {
	mu     sync.Mutex
	values map[string]string
}

func (f *fake) States() []appliance.BoardState {
	return []appliance.BoardState{{Name: "sensor", State: "up", PID: 7}}
}
func (f *fake) Counts() []appliance.PortCounts {
	return []appliance.PortCounts{{Segment: "lan", Port: "sensor.eth0", Link: "up"}}
}
func (f *fake) Readings() []appliance.Reading { return []appliance.Reading{{Path: "x", Value: "1"}} }
func (f *fake) Places(kind string) []string {
	if kind == "console" {
		return []string{"sensor:console", "sensor:uart1"}
	}
	return []string{"sensor"}
}

func (f *fake) State(board string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if board != "sensor" {
		return "", errors.New("no board " + board)
	}
	return f.values["state"], nil
}

func (f *fake) note(what, of string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values["did"] += what + " " + of + ";"
	return nil
}
func (f *fake) Do(x appliance.Action) error {
	if x.Kind == appliance.Set || x.Kind == appliance.Press {
		path := x.Place
		if x.Kind == appliance.Press {
			path += ".press"
		}
		f.Set(path, x.Value)
		return nil
	}
	return f.note(x.Kind.Name, x.Place)
}

func (f *fake) Get(path string) (string, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, ok := f.values[path]; ok {
		return v, "°C", nil
	}
	return "", "", fmt.Errorf("no property %s", path)
}

func (f *fake) Set(path, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values[path] = value
}

func (f *fake) Start(j record.Job, o agent.Output) (Program, error) {
	if j.Board != "sensor" {
		return nil, errors.New("no board " + j.Board)
	}
	o.Stderr([]byte(strings.Join(j.Args, " ")))
	p := &fakeProgram{out: o}
	if j.Do == record.DoPut {
		p.out.Taken = func(int) {} // it takes none
	}
	return p, nil
}

// fakeProgram is cat.
type fakeProgram struct {
	out  agent.Output
	over sync.Once
	took int
}

func (p *fakeProgram) Write(b []byte) {
	if len(b) > 0 {
		p.out.Stdout(append([]byte(nil), b...))
		p.out.Taken(len(b))
	}
}
func (p *fakeProgram) CloseInput() {
	p.over.Do(func() { p.out.Done(agent.Status{Code: 3}, nil) })
}
func (p *fakeProgram) Took(n int) {
	before := p.took
	if p.took += n; before < 2*Window && p.took >= 2*Window {
		p.out.Stderr([]byte("two windows were taken"))
	}
}
func (p *fakeProgram) Resize(s agentproto.Size) {
	p.out.Stdout(fmt.Appendf(nil, "%dx%d", s.Cols, s.Rows))
}
func (p *fakeProgram) Cancel() {}

func (f *fake) Attach(path string, out func([]byte)) (func([]byte) (bool, error), func(), error) {
	tries := 0
	return func(p []byte) (bool, error) {
		if tries++; path == "full" && tries < 3 {
			return false, nil
		}
		if path == "torrent" {
			for range 2 * outputLimit / len(p) {
				out(p)
			}
		}
		out([]byte(strings.ToUpper(string(p))))
		return true, nil
	}, func() {}, nil
}

func (f *fake) Capture(at []string, filter string, snap int, w io.Writer) (*capture.Live, error) {
	seg, err := ether.NewSegment(simbus.NewVirtual(), at[0], ether.SegmentConfig{})
	if err != nil || at[0] != "lan" {
		return nil, errors.New("no segment " + at[0])
	}
	return capture.NewLive(w, capture.Config{Snap: snap}, []capture.Place{{Name: "lan", LinkType: 1, Tap: seg.Tap}})
}

// TestCapture: the answer is a pcapng stream, which ends when the client has.
func TestCapture(t *testing.T) {
	serve(t)
	c := dial(t)
	if err := c.Send(Request{Command: "capture", Args: []string{"lan"}, Snap: 96}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	stream, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(stream, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || !bytes.Contains(stream, []byte("Backplane segment lan")) {
		t.Errorf("the stream is %q, %v", stream, err)
	}
	if _, err := dial(t).Do(Request{Command: "capture", Args: []string{"wan"}}, func(Reply) error { return nil }); err == nil {
		t.Error("captures where there is nothing")
	}
}

func serve(t *testing.T) *Server {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	return listen(t, "thermal", &fake{values: map[string]string{"sensor.temp0.temperature": "21.5"}})
}

func listen(t testing.TB, name string, app Appliance) *Server {
	t.Helper()
	c, err := NewClaim(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	s, err := c.Listen(app, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		s.Finish(nil)
	})
	return s
}

func dial(t *testing.T) *Conn {
	t.Helper()
	c, err := Dial("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func do(t *testing.T, r Request) (texts []string, last Reply, err error) {
	t.Helper()
	last, err = dial(t).Do(r, func(r Reply) error {
		texts = append(texts, string(r.Data)+string(r.Stdout)+string(r.Stderr)+string(r.Event))
		return nil
	})
	return texts, last, err
}

func TestCommands(t *testing.T) {
	s := serve(t)
	s.Event(&simbus.Event{Time: 5, Kind: appliance.KindGuest})
	tests := []struct {
		name   string
		give   Request
		want   string
		status int
		err    string
	}{
		{name: "ps", give: Request{Command: "ps"}, want: `[{"name":"sensor","state":"up","cpus":0,"memory":0,"up":0,"pid":7}]`},
		{name: "net", give: Request{Command: "net"}, want: `[{"segment":"lan","port":"sensor.eth0","link":"up","storms":0,"tx":null,"rx":null}]`},
		{name: "list", give: Request{Command: "list"}, want: `[{"path":"x","value":"1"}]`},
		{name: "places", give: Request{Command: "places", Path: "board"}, want: `["sensor"]`},
		{name: "get", give: Request{Command: "get", Path: "sensor.temp0.temperature"}, want: `[{"path":"sensor.temp0.temperature","value":"21.5","unit":"°C"}]`},
		{name: "get nothing", give: Request{Command: "get", Path: "x"}, err: "no property x"},
		{name: "set", give: Request{Command: "set", Path: "x", Value: "1"}},
		{name: "get what was set", give: Request{Command: "get", Path: "x"}, want: `[{"path":"x","value":"1","unit":"°C"}]`},
		{name: "press", give: Request{Command: "press", Path: "b", Value: "50"}},
		{name: "get what was pressed", give: Request{Command: "get", Path: "b.press"}, want: `[{"path":"b.press","value":"50","unit":"°C"}]`},
		{name: "power on", give: Request{Command: "power_on", Path: "sensor"}},
		{name: "power off", give: Request{Command: "power_off", Path: "sensor"}},
		{name: "pull plug", give: Request{Command: "pull_plug", Path: "sensor"}},
		{name: "cut", give: Request{Command: "cut", Path: "lan"}},
		{name: "restore", give: Request{Command: "restore", Path: "lan"}},
		{name: "what was done", give: Request{Command: "get", Path: "did"}, want: `[{"path":"did","value":"power_on sensor;power_off sensor;pull_plug sensor;cut lan;restore lan;","unit":"°C"}]`},
		{name: "wait for nothing", give: Request{Command: "wait", Value: "tea"}, err: `"tea" is not a state to wait for: use up, off or end`},
		{name: "logs of nothing", give: Request{Command: "logs", Args: []string{"sensor:uart9"}}, err: `board sensor: there is no console "uart9": did you mean "uart1"?`},
		{name: "exec nowhere", give: Request{Command: "exec", Path: "x"}, err: "no board x"},
		{name: "events", give: Request{Command: "events"}, want: `{"t":5,"kind":"guest"}`},
		{name: "unknown", give: Request{Command: "dance"}, err: `unknown command "dance"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			texts, last, err := do(t, tt.give)
			if got := fmt.Sprint(err); tt.err != "" && got != tt.err || tt.err == "" && err != nil {
				t.Fatalf("error %q, want %q", got, tt.err)
			}
			if got := strings.Join(texts, "|"); got != tt.want || last.Status != tt.status {
				t.Errorf("got %q, status %d; want %q, %d", got, last.Status, tt.want, tt.status)
			}
		})
	}
}

// TestJob gives a program input as it takes it, and a terminal another size.
func TestJob(t *testing.T) {
	serve(t)
	c := dial(t)
	if err := c.Send(Request{Command: "exec", Path: "sensor", Args: []string{"cat"}}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	var said string
	taken := 0
	next := func() Reply {
		t.Helper()
		r, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Stdout...)
		said += string(r.Stderr)
		taken += r.Taken
		return r
	}
	if r := next(); string(r.Stderr) != "cat" {
		t.Fatalf("the first answer is %+v", r)
	}
	want := 0
	for range 3 * Window / MaxInput { // three windows
		if err := c.Give(Input{Data: bytes.Repeat([]byte("x"), MaxInput)}); err != nil {
			t.Fatal(err)
		}
		for want += MaxInput; taken < want; {
			next()
		}
	}
	if err := c.Give(Input{Terminal: &agentproto.Size{Cols: 80, Rows: 25}, End: true}); err != nil {
		t.Fatal(err)
	}
	last := next()
	for !last.Done {
		last = next()
	}
	if !strings.Contains(said, "two windows were taken") {
		t.Error("the program is not told that its output was taken")
	}
	if len(got) != want+len("80x25") || !bytes.HasSuffix(got, []byte("x80x25")) || last.Status != 3 {
		t.Errorf("%d bytes, want %d; status %d", len(got), want, last.Status)
	}
}

// TestJobTooMuch gives it more input than it takes.
func TestJobTooMuch(t *testing.T) {
	serve(t)
	c := dial(t)
	if err := c.Send(Request{Command: "put", Path: "sensor"}); err != nil {
		t.Fatal(err)
	}
	for range Window/MaxInput + 1 {
		if c.Give(Input{Data: make([]byte, MaxInput)}) != nil {
			break // it was thrown out already
		}
	}
	for {
		r, err := c.Next()
		if err == nil && !r.Done {
			continue
		}
		if err != nil && (strings.Contains(err.Error(), "may be sent") || strings.Contains(err.Error(), "has ended") || errors.Is(err, unix.ECONNRESET)) {
			return
		}
		t.Fatalf("it ended with %+v, %v", r, err)
	}
}

// TestConsole: input waits for room, and all of it is taken before the end; output that
// the client is too slow for is counted.
func TestConsole(t *testing.T) {
	tests := []struct {
		path string
		give []Input
		want string // "" if it is too much to be shown
	}{
		{"sensor", []Input{{Data: []byte("hel")}, {Data: []byte("lo")}, {End: true}}, "HELLO"},
		{"sensor", []Input{{Data: []byte("hello"), End: true}}, "HELLO"},
		{"sensor", []Input{{End: true}}, ""},
		{"full", []Input{{Data: []byte("hel")}, {Data: []byte("lo"), End: true}}, "HELLO"},
		{"torrent", []Input{{Data: bytes.Repeat([]byte("x"), 1000), End: true}}, ""},
	}
	for _, tt := range tests {
		serve(t)
		c := dial(t)
		if err := c.Send(Request{Command: "console", Path: tt.path}); err != nil {
			t.Fatal(err)
		}
		for _, in := range tt.give {
			if err := c.Give(in); err != nil {
				t.Fatal(err)
			}
		}
		if tt.path == "torrent" {
			time.Sleep(100 * time.Millisecond) // nobody reads
		}
		var got []byte
		dropped := 0
		for {
			r, err := c.Next()
			if err != nil {
				t.Fatalf("%s: %v", tt.path, err)
			}
			got = append(got, r.Stdout...)
			if dropped += r.Dropped; r.Done {
				break
			}
		}
		switch {
		case tt.path == "torrent":
			if all := 2*outputLimit/1000*1000 + 1000; dropped == 0 || len(got) < outputLimit/2 || len(got)+dropped != all {
				t.Errorf("%d bytes came and %d were dropped, of %d", len(got), dropped, all)
			}
		case string(got) != tt.want || dropped != 0:
			t.Errorf("%s: %q, and %d dropped; want %q", tt.path, got, dropped, tt.want)
		}
	}
}

func TestEventsFollow(t *testing.T) {
	s := serve(t)
	c := dial(t)
	if err := c.Send(Request{Command: "events", Follow: true}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { // until the follower is there to see one
		defer wg.Done()
		for {
			select {
			case <-stop:
				return
			default:
				s.Event(&simbus.Event{Time: 7, Kind: "step"})
			}
		}
	}()
	r, err := c.Next()
	close(stop)
	wg.Wait()
	if err != nil || string(r.Event) != `{"t":7,"kind":"step"}` {
		t.Errorf("%s, %v", r.Event, err)
	}
}

// TestDown: whoever waits for the end hears of it, and of what could not be saved.
func TestDown(t *testing.T) {
	for _, result := range []error{nil, errors.New("the disk is full")} {
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		claim, err := NewClaim("thermal")
		if err != nil {
			t.Fatal(err)
		}
		defer claim.Release()
		s, err := claim.Listen(&fake{values: map[string]string{}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		for _, r := range []Request{{Command: "wait", Value: End}, {Command: "down"}} {
			c := dial(t)
			clients.Go(func() {
				reply, err := c.Do(r, func(Reply) error { return nil })
				if fmt.Sprint(err) != fmt.Sprint(result) || !reply.Done {
					t.Errorf("%s ends with %+v, %v, want %v", r.Command, reply, err, result)
				}
			})
		}
		idle := dial(t)
		<-s.Down()
		for waiting := 0; waiting < 2; time.Sleep(time.Millisecond) {
			waiting = 0
			s.mu.Lock()
			for _, waits := range s.conns {
				if waits {
					waiting++
				}
			}
			s.mu.Unlock()
		}
		s.Stop()
		if _, err := idle.Next(); err == nil {
			t.Error("a client that asks for nothing goes on")
		}
		s.Finish(result)
		clients.Wait()
		claim.Release()
		if _, err := idle.Do(Request{Command: "get", Path: "a"}, nil); !errors.Is(err, ErrEnded) {
			t.Errorf("a request to who has gone: %v", err)
		}
	}
}

// TestWait waits for a board, through all that happens meanwhile.
func TestWait(t *testing.T) {
	app := &fake{values: map[string]string{"state": appliance.StateBooting}}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s := listen(t, "thermal", app)
	c := dial(t)
	done := make(chan error, 1)
	go func() {
		_, err := c.Do(Request{Command: "wait", Value: Up}, func(Reply) error { return nil })
		done <- err
	}()
	if _, _, err := do(t, Request{Command: "wait", Value: Up, Args: []string{"x"}}); fmt.Sprint(err) != "no board x" {
		t.Errorf("waits for a board that is not there: %v", err)
	}
	for s.Event(&simbus.Event{Kind: appliance.KindGuest}); ; s.Event(&simbus.Event{Kind: appliance.KindGuest}) {
		s.mu.Lock()
		n := len(s.follow)
		s.mu.Unlock()
		if n > 0 {
			break
		}
	}
	select {
	case err := <-done:
		t.Fatalf("it waits for nothing: %v", err)
	default:
	}
	app.Set("state", appliance.StateUp)
	s.Event(&simbus.Event{Kind: appliance.KindGuest})
	if err := <-done; err != nil {
		t.Error(err)
	}
	app.Set("state", appliance.StatePanic)
	if _, _, err := do(t, Request{Command: "wait", Value: Off}); fmt.Sprint(err) != "board sensor cannot come to be off: panic" {
		t.Errorf("got %v", err)
	}
}

// TestHistory: those that came last are shown, in their order.
func TestHistory(t *testing.T) {
	s := serve(t)
	for i := range 5 * historyLength {
		s.Event(&simbus.Event{Time: simbus.Time(i + 1), Kind: appliance.KindConsole, Board: "sensor", Part: "uart1"})
	}
	s.Event(&simbus.Event{Time: 90000, Kind: appliance.KindConsole, Board: "sensor", Part: "console"})
	for _, r := range []Request{
		{Command: "events", Lines: 3},
		{Command: "logs", Args: []string{"sensor", "sensor:uart1"}, Lines: 2},
	} {
		texts, _, err := do(t, r)
		if err != nil || len(texts) != 3 {
			t.Fatalf("%s: %v, %v", r.Command, texts, err)
		}
		for i, want := range []string{`"t":4999,`, `"t":5000,`, `"t":90000,`} {
			if !strings.Contains(texts[i], want) {
				t.Errorf("%s, line %d: %s, want %s", r.Command, i, texts[i], want)
			}
		}
	}
	if texts, _, _ := do(t, Request{Command: "events"}); len(texts) != historyLength {
		t.Errorf("%d events", len(texts))
	}
}

func TestOnlyTheUserCanOpenTheSocket(t *testing.T) {
	s := serve(t)
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		t.Errorf("the socket has mode %o", perm)
	}
}

func TestClaimTwice(t *testing.T) {
	serve(t)
	if _, err := NewClaim("thermal"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// TestClaimAtOneMoment lets many claim a name at once, again and again: each time
// one has it, and nothing of a claim stays.
func TestClaimAtOneMoment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	var owners, claims atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for claims.Load() < 2000 {
				c, err := NewClaim("one")
				if errors.Is(err, ErrBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				claims.Add(1)
				if owners.Add(1) != 1 {
					t.Error("two own the name")
				}
				owners.Add(-1)
				c.Release()
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(dir + "/backplane"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestServerOutOfDescriptors connects a client while no connection can be accepted.
func TestServerOutOfDescriptors(t *testing.T) {
	s := serve(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: s.path})
	time.Sleep(2 * acceptAgain) // it has tried meanwhile; were it slower, the test would pass for nothing
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if _, _, err := do(t, Request{Command: "ps"}); err != nil {
		t.Errorf("when there are descriptors again, it answers: %v", err)
	}
}

func TestFolderOfAnotherUserIsRefused(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(dir+"/backplane", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/backplane", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Path("x"); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"command":"ps"}`))
	f.Add([]byte(`{"command":"exec","path":"sensor","args":["cat"]}`))
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	f.Setenv("XDG_RUNTIME_DIR", dir)
	listen(f, "fuzz", &fake{values: map[string]string{}})
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := Dial("fuzz")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.c.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil { // which ends what goes on until its client does
			t.Fatal(err)
		}
		for {
			if r, err := c.Next(); err != nil || r.Done {
				return
			}
		}
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
