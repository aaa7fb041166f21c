package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/guest/confine"

	"golang.org/x/sys/unix"
)

func TestRunDirGoesWithClose(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := NewRunDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := r.Board("sensor")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(false); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(os.TempDir() + "/backplane-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestFolderThatOthersCanChange has others own, or write to, what the run folder would
// be in.
func TestFolderThatOthersCanChange(t *testing.T) {
	above := t.TempDir()
	tmp := filepath.Join(above, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	refused := func(want string) {
		t.Helper()
		r, err := NewRunDir()
		if err == nil {
			_ = r.Close(false)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err := os.Chmod(above, 0o777); err != nil {
		t.Fatal(err)
	}
	refused("everybody can write to " + above)
	if err := os.Chmod(above, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	accepted := func() {
		t.Helper()
		r, err := NewRunDir()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(false); err != nil {
			t.Error(err)
		}
	}
	accepted()
	if os.Getuid() != 0 {
		return // only root can give folders away
	}
	if err := os.Chown(tmp, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	refused(tmp + " belongs to user 1000")
	if confine.HasNobody() { // as whom guests may run that root starts
		if err := os.Chown(tmp, confine.Nobody, 0); err != nil {
			t.Fatal(err)
		}
		refused(tmp + " belongs to user 65534")
	}
	if err := os.Chown(tmp, 0, 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, 0o770); err != nil {
		t.Fatal(err)
	}
	refused("group 1000 can write to " + tmp)
	if err := os.Chown(tmp, 0, 0); err != nil {
		t.Fatal(err)
	}
	accepted()
	list := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{0x01, 7, 1<<32 - 1}, {aclUser, 7, 1000}, {aclGroupObj, 5, 1<<32 - 1}, {0x10, 7, 1<<32 - 1}, {0x20, 0, 1<<32 - 1}} {
		list = binary.LittleEndian.AppendUint32(list, e[0]|e[1]<<16)
		list = binary.LittleEndian.AppendUint32(list, e[2])
	}
	if err := unix.Setxattr(tmp, "system.posix_acl_access", list, 0); errors.Is(err, unix.EOPNOTSUPP) {
		t.Log("TMPDIR's file system has no access lists: they are not looked at")
	} else if err != nil {
		t.Fatal(err)
	} else {
		refused("user 1000 can write to " + tmp)
	}
}

// TestCloseEndsWhatIsLeft closes a folder in which a process works that its guest has
// left behind.
func TestCloseEndsWhatIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := NewRunDir()
	if err != nil {
		t.Fatal(err)
	}
	stray := exec.Command("/bin/sleep", "1000")
	if stray.Dir, err = r.Board("b"); err != nil {
		t.Fatal(err)
	}
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stray.Wait() }()
	if err := r.Close(true); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = stray.Process.Kill()
		t.Error("it goes on")
	}
}

// TestStrayEndsWithItsBoard leaves a process behind in each of two boards' folders, of which
// one ends.
func TestStrayEndsWithItsBoard(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := NewRunDir()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(true) }()
	var strays [2]*exec.Cmd
	for i, board := range []string{"b", "b2"} {
		strays[i] = exec.Command("/bin/sleep", "1000")
		if strays[i].Dir, err = r.Board(board); err != nil {
			t.Fatal(err)
		}
		if err := strays[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// It ends at once: there is no socket for it.
	p, err := Start(Config{Board: "b", Kernel: ourKernel(self), Dir: strays[0].Dir, Memory: 64 << 20, CPU: -1, CPUs: 32, Unconfined: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	ended := make(chan error, 1)
	go func() { ended <- strays[0].Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = strays[0].Process.Kill()
		t.Error("it goes on")
	}
	if err := strays[1].Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("the other board's: %v", err)
	}
	_ = strays[1].Process.Kill()
	_ = strays[1].Wait()
}

// TestRunDirGoesWithAKilledProgram runs this test again as a program of its own
// that makes a run folder and is then killed. A process works in the folder that does
// not die with it, as a kernel whose maker was killed before PR_SET_PDEATHSIG does not.
func TestRunDirGoesWithAKilledProgram(t *testing.T) {
	if os.Getenv("BACKPLANE_TEST_KILLED") != "" {
		r, err := NewRunDir()
		if err != nil {
			t.Fatal(err)
		}
		dir, err := r.Board("b")
		if err != nil {
			t.Fatal(err)
		}
		survivor := exec.Command("/bin/sleep", "1000")
		survivor.Dir = dir
		if err := survivor.Start(); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%d made %s\n", survivor.Process.Pid, r.path)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunDirGoesWithAKilledProgram$")
	cmd.Env = append(os.Environ(), "BACKPLANE_TEST_KILLED=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var survivor int
	var path string
	if _, err := fmt.Sscanf(string(buf[:n]), "%d made %s", &survivor, &path); err != nil {
		t.Fatalf("it said %q", buf[:n])
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(survivor, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	died := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	_, err = unix.Poll(died, int(time.Minute.Milliseconds()))
	for err == unix.EINTR {
		_, err = unix.Poll(died, int(time.Minute.Milliseconds()))
	}
	if err != nil || died[0].Revents == 0 {
		_ = unix.Kill(survivor, unix.SIGKILL)
		t.Errorf("what worked there has not died: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", path)
		}
	}
}
