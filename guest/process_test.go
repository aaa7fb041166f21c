package guest

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"backplane/guest/confine"
	"backplane/guest/kernel"

	"golang.org/x/sys/unix"
)

// TestMain is the guest's program where it is started as one.
func TestMain(m *testing.M) {
	if os.Args[0] == restart {
		giveOutputAway()
		return
	}
	os.Exit(m.Run())
}

// ourKernel is a program that is started as a kernel of Backplane's own making.
func ourKernel(path string) kernel.Image {
	return kernel.Image{Path: path, Facts: kernel.Facts{Version: kernel.Series, Seccomp: true}}
}

// giveOutputAway sends what it prints to over the socket of its folder, and ends.
func giveOutputAway() {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: confine.WorkDir + "/own.sock"})
	}
	if err == nil {
		err = unix.Sendmsg(fd, []byte{0}, unix.UnixRights(1), nil, 0)
	}
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

// TestOutputThatIsHeld has somebody keep open what a guest printed to.
func TestOutputThatIsHeld(t *testing.T) {
	if err := confine.Possible(); err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "own.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const cpus = 32 // with as many, a guest may have as much memory as a program in Go takes
	p, err := Start(Config{Board: "b", Kernel: ourKernel(self), Dir: dir, Memory: 64 << 20, CPU: -1, CPUs: cpus})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rights := make([]byte, unix.CmsgSpace(4))
	if _, n, _, _, err := c.ReadMsgUnix(make([]byte, 1), rights); err != nil || n != len(rights) {
		t.Fatalf("%d bytes of rights, %v", n, err)
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		t.Fatal(err)
	}
	held, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held[0])
	start := time.Now()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > exitLimit/2 {
		t.Errorf("its end took %s", took)
	}
}
