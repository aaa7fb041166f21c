package tests

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBadLayers wants status 2 and the place that names the layer, and no folder left
// that was made for the record.
func TestBadLayers(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "dir/file", Typeflag: tar.TypeReg, Size: 4096}); err != nil {
		t.Fatal(err)
	}
	cut := b.String() + "the first of its bytes"
	b.Reset()
	w = tar.NewWriter(&b)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "gone"}), w.Close()); err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, map[string]string{
		"cut.tar": cut, "link.tar": b.String(), "text.tar": strings.Repeat("no archive\n", 100),
		"b.toml": "name = \"b\"\n[firmware]\nrootfs = []\n",
	})
	for layer, want := range map[string]string{
		"cut.tar":  "root file system: pack %s: truncated tar archive, in dir/file",
		"link.tar": "root file system: pack %s: l is a hard link to gone, but no such file precedes it",
		"text.tar": "root file system: pack %s: is neither a tar nor a cpio archive",
	} {
		t.Run(layer, func(t *testing.T) {
			file := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			for place, appliance := range map[string]string{
				"own.toml:3:11: ": file("own.toml", fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", layer)),
				"app.toml:4:11: ": file("app.toml", fmt.Sprintf("name = \"a\"\n[[board]]\nfile = \"b.toml\"\nrootfs = [%q]\n", layer)),
			} {
				scenario := file("s.toml", fmt.Sprintf("appliance = %q\n[[step]]\nwait = \"1s\"\n", appliance))
				_, errs, status := run(t, nil, "run", "--out", filepath.Join(dir, "new/deep/record"), scenario)
				if said := place + fmt.Sprintf(want, filepath.Join(dir, layer)); status != 2 || !strings.Contains(errs, said) {
					t.Errorf("status %d, %s\nwant %s", status, errs, said)
				}
				if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
					t.Error("the record's folder stays")
				}
				kept := t.TempDir()
				if err := os.WriteFile(filepath.Join(kept, "file"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, _, status := run(t, nil, "run", "--out", kept, scenario); status != 2 {
					t.Errorf("status %d", status)
				}
				if _, err := os.Stat(filepath.Join(kept, "file")); err != nil {
					t.Errorf("what was there has gone: %v", err)
				}
			}
		})
	}
}

// TestBadRecords wants status 2 of what cannot be replayed.
func TestBadRecords(t *testing.T) {
	dir := writeFiles(t, map[string]string{"run.json": `{"virtual": true, "appliance": "b.toml"}`})
	for _, tt := range []struct{ inputs, want string }{
		{"", "it has no inputs.jsonl"},
		{"{\"t\":9223372036854775807,\"do\":\"end\"}\n", "line 1: its time never is after the session's end"},
	} {
		if tt.inputs != "" {
			if err := os.WriteFile(filepath.Join(dir, "inputs.jsonl"), []byte(tt.inputs), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, errs, status := run(t, nil, "replay", dir); status != 2 || !strings.Contains(errs, tt.want) {
			t.Errorf("status %d, %s\nwant %s", status, errs, tt.want)
		}
	}
}

// TestFullOutput writes reports to a full disk.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"check", "boards/sensor.toml"}, {"parts"}, {"--help"}} {
		var errs strings.Builder
		cmd := exec.Command(backplane(t), args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = "..", full, &errs
		_ = cmd.Run()
		const want = "backplane: the output could not be written: write /dev/stdout: no space left on device\n"
		if status := cmd.ProcessState.ExitCode(); status != 3 || errs.String() != want {
			t.Errorf("%s: status %d, %q", args[0], status, errs.String())
		}
	}
}

// TestLittleAddressSpace runs it with less than Go needs to be sure.
func TestLittleAddressSpace(t *testing.T) {
	for limit, said := range map[string]string{"2000000": "1953 MiB", "1500000": "1464 MiB", "1000000": "976 MiB"} {
		out, err := exec.Command("sh", "-c", `ulimit -v "$1"; exec "$0" version`, backplane(t), limit).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "the address-space limit is "+said+"; it must be at least 2048 MiB") {
			t.Errorf("%s KiB: %v\n%s", limit, err, out)
		}
	}
}

// TestFolderInPlaceOfTheSocket finds it before anything boots.
func TestFolderInPlaceOfTheSocket(t *testing.T) {
	dir := writeFiles(t, map[string]string{"b.toml": "name = \"b\"\n"})
	socket := filepath.Join(dir, "backplane/b.sock")
	if err := os.MkdirAll(socket, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	out, errs, status := run(t, []string{"XDG_RUNTIME_DIR=" + dir}, "up", filepath.Join(dir, "b.toml"))
	if status != 3 || out != "" || errs != "backplane: cannot make the control socket "+socket+": a folder is in its place\n" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestSecondSignalEnds sends two signals to a check that cannot go on: nobody reads what
// it says. The first is for those who clean up, the second ends it as it is.
func TestSecondSignalEnds(t *testing.T) {
	board := filepath.Join(writeFiles(t, map[string]string{"b.toml": "name = \"b\"\n"}), "b.toml")
	cmd := exec.Command(backplane(t), append([]string{"check"}, slices.Repeat([]string{board}, 10_000)...)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(out, 16).ReadString('\n'); err != nil || !strings.HasSuffix(line, "good\n") {
		t.Errorf("%q, %v", line, err)
	}
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || !exit.Sys().(interface{ Signaled() bool }).Signaled() {
		t.Errorf("it ended with %v", err)
	}
}

// TestDevicesAndPipes wants check and run to refuse them at once.
func TestDevicesAndPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.toml")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, what := range map[string]string{pipe: "a pipe", "/dev/zero": "a device"} {
		for _, args := range [][]string{{"kernel", "build"}, {"kernel", "tree"}} {
			_, errs, status := run(t, nil, append(args, "--source", file)...)
			if want := fmt.Sprintf("%s: kernel source: is %s; it must be a tarball, or a folder with a kernel tree\n", file, what); status != 2 || errs != want {
				t.Errorf("%s: status %d, %q, want %q", args, status, errs, want)
			}
		}
	}
	for _, command := range []string{"check", "run", "up"} {
		for file, what := range map[string]string{pipe: "a pipe", "/dev/zero": "a device", "/dev/urandom": "a device", dir: "a folder"} {
			_, errs, status := run(t, []string{"XDG_RUNTIME_DIR=" + dir}, command, file)
			if want := fmt.Sprintf("%s: is %s; it must be a TOML file\n", file, what); status != 2 || errs != want {
				t.Errorf("%s: status %d, %q, want %q", command, status, errs, want)
			}
		}
	}
}

// TestTerminalsSequences: a message about a file whose name would move the cursor shows that, and does
// not send it: of an image that others have made, they have chosen the name of what it is over.
func TestTerminalsSequences(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image.qcow2")
	out, err := exec.Command("qemu-img", "create", "-u", "-f", "qcow2", "-F", "raw", "-b", "\x1b[2Jbase", image, "1M").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	board := filepath.Join(dir, "b.toml")
	if err := os.WriteFile(board, []byte("name = \"b\"\n[[disk]]\nname = \"d\"\nimage = \"image.qcow2\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"disk", "info", image}, {"check", board}} {
		stdout, stderr, status := run(t, nil, args...)
		if status != 2 || strings.Contains(stdout+stderr, "\x1b") || !strings.Contains(stderr, `\x1b[2Jbase: no such file`) {
			t.Errorf("%q: status %d, want 2, and a message that can be shown:\n%q%q", args, status, stdout, stderr)
		}
	}
}
