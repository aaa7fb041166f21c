package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// reportFlag is how `up --detach` tells its child where it waits.
const reportFlag = "report-fd"

// news is what the child tells, once.
type news struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
	Log     string `json:"log,omitempty"` // where the child writes from now on
}

// startDetached runs this command again in a session of its own, and waits until
// that has something to tell.
func startDetached(cmd *cobra.Command) error {
	exe, err := os.Executable()
	if err != nil {
		return badMachine(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		return badMachine(err)
	}
	defer in.Close()
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "--detach") })
	const fd = 3 // the first of ExtraFiles
	child := exec.Command(exe, slices.Insert(args, 0, "--"+reportFlag+"="+strconv.Itoa(fd))...)
	child.Stdout, child.Stderr, child.ExtraFiles = os.Stdout, os.Stderr, []*os.File{out}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = child.Start()
	out.Close()
	if err != nil {
		return badMachine(err)
	}
	told := make(chan news, 1)
	go func() {
		var n news
		b, err := io.ReadAll(in)
		if err == nil {
			err = json.Unmarshal(b, &n)
		}
		if err != nil { // it has ended, and has said why on its own
			_ = child.Wait()
			if n.Status = child.ProcessState.ExitCode(); n.Status <= 0 {
				n = news{Status: exitFailed, Message: "the appliance ended before all boards were up"}
			}
		}
		told <- n
	}()
	select {
	case n := <-told:
		return n.report(cmd.OutOrStdout())
	case <-cmd.Context().Done(): // nobody waits for it any more
		_ = child.Process.Signal(unix.SIGTERM)
		<-told
		return &statusError{exitFailed, errors.New("interrupted before all boards were up")}
	}
}

func (n *news) report(out io.Writer) error {
	if n.Log != "" {
		fmt.Fprintf(out, "Its messages from now on go to %s; the file is removed when the appliance ends in order.\n", n.Log)
	}
	if n.Status == 0 {
		_, err := fmt.Fprintln(out, n.Message)
		return err
	}
	s := &statusError{status: n.Status}
	if n.Message != "" {
		s.err = errors.New(n.Message)
	}
	return s
}

// detached is an appliance whose starter waits until all its boards are up. Its
// methods do nothing for one that has none.
type detached struct {
	to   *os.File
	name string // of the appliance
	log  string
	file *os.File // which has that name

	mu        sync.Mutex
	waiting   map[string]bool // boards that are not up yet
	problem   string          // the first board's that is not going to be
	listens   bool
	hasSpoken bool
}

func newDetached(fd int, a *boards.Appliance) (*detached, error) {
	socket, err := control.Path(a.Name)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	d := &detached{to: os.NewFile(uintptr(fd), "report"), name: a.Name, log: strings.TrimSuffix(socket, ".sock") + ".log", waiting: make(map[string]bool)}
	for i := range a.Board {
		if m := &a.Board[i]; !m.Off && !m.Unplugged {
			d.waiting[m.Name] = true
		}
	}
	return d, nil
}

// started says that the appliance can be reached, and how, for people.
func (d *detached) started(a *boards.Appliance) string {
	text := fmt.Sprintf("%s has started, and its boards are booting: 'backplane wait up --name %s' returns when they are up, 'backplane console %s' attaches to a console", a.Name, a.Name, a.Board[0].Name)
	if d != nil {
		return text + "."
	}
	return text + fmt.Sprintf(", Ctrl-C or 'backplane down %s' ends it.", a.Name)
}

// open makes the file for what the appliance will have to say, before anything boots.
func (d *detached) open() (err error) {
	if d != nil {
		d.file, err = os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	return err
}

// ended removes that file, if the appliance has ended in order.
func (d *detached) ended(err error) {
	if d == nil || err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = os.Remove(d.log) // it says nothing that is missed
}

// close removes the file if nothing was ever said there.
func (d *detached) close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.hasSpoken {
		_ = os.Remove(d.log)
	}
}

// listening tells that clients can reach the appliance.
func (d *detached) listening() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listens = true
	d.judge()
}

// state takes note of a board's new state.
func (d *detached) state(board, state, detail string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting[board] {
		return
	}
	switch state {
	case appliance.StateUp:
		delete(d.waiting, board)
	case appliance.StatePanic, appliance.StateLost, appliance.StateStuck, appliance.StateOff:
		if d.problem == "" {
			d.problem = strings.TrimSpace(fmt.Sprintf("board %s is not up: %s %s", board, state, detail))
		}
	}
	d.judge()
}

// judge speaks when it is known whether all boards are up.
func (d *detached) judge() {
	switch {
	case d.hasSpoken || !d.listens:
	case d.problem != "":
		d.speak(news{Status: exitFailed, Message: d.problem + " ('backplane logs --name " + d.name + "' shows its console, 'backplane down " + d.name + "' ends the appliance)", Log: d.log})
	case len(d.waiting) == 0:
		d.speak(news{Log: d.log, Message: fmt.Sprintf("%s is up, in the background: 'backplane down %s' ends it, 'backplane wait end --name %s' waits for that.", d.name, d.name, d.name)})
	}
}

// speak lets the starter go, with its terminal.
func (d *detached) speak(n news) {
	d.hasSpoken = true
	if n.Log != "" {
		if err := d.redirect(); err != nil {
			n.Status, n.Message = exitMachine, err.Error()
		}
	}
	_ = json.NewEncoder(d.to).Encode(n) // a starter that has gone hears nothing
	d.to.Close()
}

// redirect writes what this program says to its file.
func (d *detached) redirect() error {
	defer d.file.Close()
	for _, fd := range []int{unix.Stdout, unix.Stderr} {
		if err := unix.Dup2(int(d.file.Fd()), fd); err != nil {
			return err
		}
	}
	return nil
}

// failed passes on how the appliance ended, to a starter that waits too.
func (d *detached) failed(err error) error {
	if d == nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.hasSpoken {
		d.to.Close() // this program's own message and status follow
	}
	return err
}
