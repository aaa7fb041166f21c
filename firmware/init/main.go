// Command init is process 1 of a board: it mounts what every Linux system has,
// gives devices the names that the board file says, brings the network up, runs
// the board's program, and is the agent through which the simulator runs
// commands, moves files and powers the board off.
//
// It is also the agent beside a real init system: as `init agent`.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

func main() {
	beside := len(os.Args) > 1 && os.Args[1] == "agent"
	board, file, err := readConfig(beside)
	if err != nil {
		fail("%v", err)
	}
	if beside {
		if !awaitHandover() {
			return
		}
		failures = os.Args[2:] // those of process 1
		unix.CloseOnExec(agentEmulators)
		plugs := newPlugging(board)
		plugs.note()
		plugs.follow()
		serve(board, plugs, new(children))
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: this is a board's process 1, not a command")
		os.Exit(2)
	}
	startUp(board.Startup)
	plugs := newPlugging(board)
	setup(board, plugs)
	if board.Handover {
		handOver(board, file)
	}
	kids := newChildren()
	kids.unmount = board.Root != nil
	kids.obey(board.Shutdown)
	plugs.follow()
	program(board, kids)
	serve(board, plugs, kids)
	select {} // without its agent the board still runs
}

// agentConfig is where the agent beside an init system has the open file: its name is not in
// a root on a disk.
const agentConfig = 3

// agentEmulators is where it has the file system of emulators, if there is one.
const agentEmulators = 4

func readConfig(beside bool) (*config.Board, *os.File, error) {
	board := new(config.Board)
	f := os.NewFile(agentConfig, config.Path)
	if !beside {
		var err error
		if f, err = os.Open(config.Path); err != nil {
			return board, nil, err
		}
	}
	err := json.NewDecoder(f).Decode(board)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return board, f, fmt.Errorf("%s: %w", config.Path, err)
	}
	return board, f, nil
}

// startUp waits until the kernel has been running for that long, as on real
// hardware it has: drivers count on it (tmp102 has no value for 35 ms).
func startUp(least time.Duration) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		complain("read the clock: %v", err)
		return
	}
	time.Sleep(least - time.Duration(now.Nano()))
}

// complain puts a message on the console.
func complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "init: "+format+"\n", args...)
}

// failures are what could not be made as the board file says. The simulator is told,
// so that nobody takes such a board for one that has come up.
var failures []string

// fail puts a message on the console, and notes it as a failure. It is called
// before the agent begins.
func fail(format string, args ...any) {
	complain(format, args...)
	failures = append(failures, fmt.Sprintf(format, args...))
}

// setup makes the board what its file says. What does not work is said, and the rest done.
func setup(board *config.Board, plugs *plugging) {
	mountAll(board)
	if board.Emulator != nil {
		if err := emulate(board.Emulator); err != nil {
			fail("programs of another architecture: %v", err)
		}
	}
	if board.Root != nil {
		if err := enterRoot(board); err != nil {
			fail("root file system: %v; the board stays up without it", err)
			board.Root, board.Handover, board.Init = nil, false, ""
		}
	}
	for _, m := range board.Shares {
		if plugged(m.Place) {
			mount(m.Mount)
		}
	}
	if err := unix.Sethostname([]byte(board.Hostname)); err != nil {
		fail("set the host name: %v", err)
	}
	plugs.begin()
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("HOME", "/root")
	os.Setenv("TERM", "linux")
}

// handOver starts the agent beside, and becomes the board's own init system. It
// returns if there is none.
func handOver(board *config.Board, file *os.File) {
	if err := unix.Access(board.Init, unix.X_OK); err != nil {
		fail("%s: %v; the board stays up without it", board.Init, err)
		board.Handover, board.Init = false, ""
		return
	}
	became, failed, err := os.Pipe() // its end is the sign that another program runs here
	if err == nil {
		_, err = os.StartProcess("/proc/self/exe", append([]string{"backplane-agent", "agent"}, failures...), &os.ProcAttr{
			Dir: "/", Env: os.Environ(), Sys: &syscall.SysProcAttr{Setsid: true},
			Files: append([]*os.File{became, os.Stderr, os.Stderr, file}, emulators...),
		})
	}
	if err != nil {
		complain("start the agent: %v", err)
	}
	err = unix.Exec(board.Init, append([]string{board.Init}, board.Args...), os.Environ())
	fail("%s: %v; the board stays up without it", board.Init, err)
	_, _ = failed.Write([]byte{1})
	failed.Close()
	board.Handover, board.Init = false, ""
}

// awaitHandover tells whether process 1 has become the board's own init system. If it has not,
// process 1 is the agent itself.
func awaitHandover() bool {
	n, err := os.Stdin.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
}

// program starts the board's program, or has a shell on the console where there is none.
func program(board *config.Board, kids *children) {
	if board.Init == "" {
		go shell(kids)
		return
	}
	p, err := kids.start(append([]string{board.Init}, board.Args...), startOptions{console: true})
	if err != nil {
		fail("%s: %v", board.Init, err)
		return
	}
	go func() {
		if status := p.wait(); !kids.ending() {
			complain("%s ended with status %d", board.Init, status)
		}
	}()
}

// shell keeps a shell on the console, if the board has one.
func shell(kids *children) {
	for {
		if _, err := os.Stat("/bin/sh"); err != nil || kids.ending() {
			return
		}
		p, err := kids.start([]string{"/bin/sh"}, startOptions{console: true, shell: true})
		if err != nil {
			complain("/bin/sh: %v", err)
			return
		}
		p.wait()
	}
}
