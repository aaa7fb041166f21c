package hostfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"backplane/simbus/hostfile"
)

// alone checks that a folder has nothing but one file.
func alone(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v (%v), want the file alone", left, err)
	}
}

// TestKeep: a missing file is made, one of the right size is read, no other is touched, and
// nobody else has it meanwhile.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "part.bin")
	for when, want := range map[string]string{"missing": "\xff\xff\xff\xff", "made": "abcd"} {
		if when == "made" {
			if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		} else {
			_ = os.Remove(name)
		}
		f, got, err := hostfile.Keep(name, 4, 0xff)
		if err != nil || string(got) != want {
			t.Fatalf("%s: % x, %v", when, got, err)
		}
		var used *hostfile.InUseError
		if _, _, err := hostfile.Keep(name, 4, 0xff); !errors.As(err, &used) || used.File != name {
			t.Errorf("%s: somebody else has it: %v", when, err)
		}
		if _, err := hostfile.OpenShared(name, hostfile.Open); !errors.As(err, &used) {
			t.Errorf("%s: somebody reads it: %v", when, err)
		}
		f.Close()
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: the file has % x, %v", when, got, err)
		}
	}
	for _, size := range []int{3, 5} {
		if _, _, err := hostfile.Keep(name, size, 0xff); err == nil || !strings.Contains(err.Error(), "part.bin has 4 bytes, and must have ") {
			t.Errorf("%d bytes are wanted: %v", size, err)
		}
	}
	read, err := hostfile.OpenShared(name, hostfile.Open)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, _, err := hostfile.Keep(name, 4, 0xff); err == nil || !strings.Contains(err.Error(), "is in use by another run or command") {
		t.Errorf("it is read: %v", err)
	}
	alone(t, dir)
}

// TestReplace: a file is replaced where it is, with its mode, and errors name it.
func TestReplace(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	name, link := filepath.Join(elsewhere, "part.bin"), filepath.Join(dir, "link.bin")
	if err := errors.Join(os.WriteFile(name, []byte("old"), 0o640), os.Chmod(name, 0o640), os.Symlink(name, link)); err != nil {
		t.Fatal(err)
	}
	if err := hostfile.Replace(link, []byte("abcd")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if got, e := os.ReadFile(name); err != nil || e != nil || !bytes.Equal(got, []byte("abcd")) || info.Mode() != 0o640 {
		t.Errorf("%q, %v; %v, %v", got, e, info, err)
	}
	if to, err := os.Readlink(link); err != nil || to != name {
		t.Errorf("the link is %q, %v", to, err)
	}
	folder := filepath.Join(elsewhere, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		folder: "replace " + folder + ": file exists",
		filepath.Join(elsewhere, "no", "part.bin"): filepath.Join(elsewhere, "no", "part.bin") + ": make a file beside it: no such file or directory",
	} {
		if err := hostfile.Replace(name, nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	alone(t, dir)
	alone(t, elsewhere)
}

// TestDraft: one that is not placed leaves nothing, and all that is said of one has the name
// that it is to have.
func TestDraft(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "part.bin")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := hostfile.NewDraft(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	again, err := d.Reopen()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	got := make([]byte, 4)
	if n, _ := again.Read(got); string(got[:n]) != "new" || again.Name() != name || d.Name() != name {
		t.Errorf("%q of %s, which is to be %s", got[:n], again.Name(), d.Name())
	}
	if _, err := again.Write(got); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("it can be written, or its error has another name: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "old" {
		t.Errorf("the file has %q, %v", got, err)
	}
	alone(t, dir)
}

// TestReplacedMeanwhile: who has waited for a file does not get the one that was there before.
func TestReplacedMeanwhile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "number")
	if err := os.WriteFile(name, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const adders, each = 4, 200
	add := func() (done bool, err error) {
		f, err := hostfile.OpenAlone(name)
		var used *hostfile.InUseError
		if errors.As(err, &used) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer f.Close()
		text := make([]byte, 8)
		n, _ := f.ReadAt(text, 0)
		number, err := strconv.Atoi(string(text[:n]))
		if err != nil {
			return false, err
		}
		return true, hostfile.Replace(name, []byte(strconv.Itoa(number+1)))
	}
	var all sync.WaitGroup
	for range adders {
		all.Go(func() {
			for n := 0; n < each; {
				done, err := add()
				if err != nil {
					t.Error(err)
					return
				}
				if done {
					n++
				}
			}
		})
	}
	all.Wait()
	if got, err := os.ReadFile(name); err != nil || string(got) != strconv.Itoa(adders*each) {
		t.Errorf("the file has %q, %v; want %d", got, err, adders*each)
	}
}
