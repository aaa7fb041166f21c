package tests

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/guest/kernel"
	"backplane/periph"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// module builds a kernel module for boards with one CPU, as docs/working.md says.
func module(t *testing.T, name string) (file string) {
	t.Helper()
	dir := t.TempDir()
	do := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	build, source := filepath.Join(dir, "build"), filepath.Join(dir, name)
	do("mkdir", build, source)
	do("cp", filepath.Join(filepath.Dir(guesttest.Kernel(t, true, kernel.Recipe{}).Path), "config"), build+"/.config")
	do("cp", filepath.Join("programs", name, name+".c"), "programs/module/host.h", source)
	if err := os.WriteFile(source+"/Makefile", []byte("obj-m := "+name+".o\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, err := (&kernel.Builder{Flavour: kernel.Virtual}).Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do("make", "-s", "-j2", "-C", tree, "O="+build, "ARCH=um", "modules_prepare")
	do("make", "-s", "-C", build, "ARCH=um", "M="+source, "KBUILD_MODPOST_WARN=1", "modules")
	return filepath.Join(source, name+".ko")
}

// TestEscape has root on a board load a module that makes the host's system calls.
func TestEscape(t *testing.T) {
	ko := module(t, "escape")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the user's"), 0o600); err != nil {
		t.Fatal(err)
	}
	control := filepath.Join(t.TempDir(), "control.sock") // as a client of an appliance's would reach
	l, err := net.Listen("unix", control)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, "busybox", "dmesg")
		data, err := os.ReadFile(ko)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "escape.ko"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		board := fmt.Sprintf("memory = \"96M\"\n[firmware]\nrootfs = [%q]\n", root)
		app, neighbour := soldered(t, map[string]string{
			"main.toml":  "name = \"a\"\n[[board]]\nname = \"evil\"\nfile = \"board.toml\"\n[[board]]\nname = \"other\"\nfile = \"board.toml\"\n",
			"board.toml": "name = \"b\"\n" + board,
		}, o, "other/rng.sock")
		if r := app.StartCommand("evil", "busybox", "insmod", "/escape.ko", "secret="+secret, "socket="+control, "neighbour="+neighbour, "parent="+strconv.Itoa(os.Getpid())).Wait(); r.Status == 0 {
			t.Fatalf("the module stays: %v", r)
		}
		tries := 0
		for line := range strings.Lines(app.Do("evil", "dmesg")) {
			_, what, ok := strings.Cut(strings.TrimSpace(line), "] try: ")
			if !ok {
				continue
			}
			what, result, _ := strings.Cut(what, ": ")
			switch {
			case what == "its process" && result == "1", what == "in the root" && regexp.MustCompile(`^(board|linux|lib|lib64|usr|proc|tmp)$`).MatchString(result):
			case what == "reach its own device once more" && result == "0": // it is hung up on
			case !strings.HasPrefix(result, "-"):
				t.Errorf("%s: %s", what, result)
			default:
				tries++
			}
		}
		if tries < 30 {
			t.Errorf("only %d tries were made", tries)
		}
		if out := app.Do("other", "echo", "well"); out != "well\n" {
			t.Errorf("the other board says %q", out)
		}
	})
}

// soldered starts an appliance whose run folder is in a place of its own, and returns
// the path of a board's socket.
func soldered(t *testing.T, files map[string]string, o guesttest.Options, socket string) (*guesttest.App, string) {
	t.Helper()
	guesttest.Init(t) // which all tests share, and which is not to be in a folder that goes
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	app := guesttest.Run(t, files, o)
	found, err := filepath.Glob(filepath.Join(dir, "backplane-*", socket))
	if err != nil || len(found) != 1 {
		t.Fatalf("sockets %s: %q, %v", socket, found, err)
	}
	return app, found[0]
}

// TestStranger has a process that is not a board's kernel connect to its sockets, while
// the board is on and while it is off.
func TestStranger(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app, socket := soldered(t, map[string]string{"main.toml": "name = \"b\"\nmemory = \"64M\"\n"}, o, "b/rng.sock")
		connect := func() {
			t.Helper()
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			hungUp := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				hungUp <- err
			}()
			begun := time.Now()
			for waiting := true; waiting; {
				select {
				case err := <-hungUp:
					if err == nil {
						t.Error("a stranger got an answer")
					}
					waiting = false
				default:
					if time.Since(begun) > time.Minute {
						t.Fatal("a stranger is left to wait")
					}
					app.Sleep(time.Millisecond)
				}
			}
			app.Until(time.Minute, "a word on the stranger", func(e *simbus.Event) bool {
				text, _ := e.Get("error")
				return e.Kind == periph.KindDevice && strings.Contains(text, fmt.Sprintf("process %d to a device: only the board's kernel", os.Getpid()))
			})
		}
		connect()
		if out := app.Do("b", "head", "-c", "4", "/dev/hwrng"); len(out) != 4 {
			t.Errorf("the board's own connection gives %q", out)
		}
		if err := app.PowerOff("b"); err != nil {
			t.Fatal(err)
		}
		connect()
	})
}
