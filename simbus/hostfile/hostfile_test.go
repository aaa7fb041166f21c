package hostfile_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

func TestOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := unix.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, name := range []string{"zero", "random"} {
		if err := os.Symlink(map[string]string{"zero": "/dev/zero", "random": "/dev/urandom"}[name], at(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"pipe": "is a pipe; it must be a file", "socket": "is a socket; it must be a file",
		"zero": "is a device; it must be a file", "random": "is a device; it must be a file",
		".": "is a folder; it must be a file", "none": "no such file",
	} {
		if _, err := hostfile.Read(at(name), 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

func TestLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := hostfile.Read(file, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	var long hostfile.TooLongError
	if _, err := hostfile.Read(file, 4); !errors.As(err, &long) || long != 4 {
		t.Errorf("error %v, want one about 4 bytes", err)
	}
	if _, err := hostfile.Read("/proc/self/stat", 4); !errors.As(err, &long) { // its size is said to be 0
		t.Errorf("error %v, want one about 4 bytes", err)
	}
}

// TestFileThatWaits reads what is a regular file by its mode, and has no end.
func TestFileThatWaits(t *testing.T) {
	const name = "/proc/kmsg"
	if f, err := hostfile.Open(name); err != nil {
		t.Skipf("no file that waits can be had: %v", err)
	} else {
		f.Close()
	}
	if _, err := hostfile.Read(name, 1<<30); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want one about the time", err)
	}
}
