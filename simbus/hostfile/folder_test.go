package hostfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus/hostfile"
)

// tree makes a folder with "in/file", and links of all kinds beside it.
func tree(t *testing.T) (dir string, in *hostfile.Folder) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in", "in/sub", "out"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"in/file", "out/file"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"in/far": "../out/file", "in/near": "sub/../file", "in/absolute": filepath.Join(dir, "in/file"), "in/host": "/etc/passwd",
		"in/folder": "../out", "in/again": "far", "in/new": "../out/none", "in/own": "none", "in/loop": "loop", "out/back": "../in/sub",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if in, err = hostfile.OpenFolder(filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	return dir, in
}

func TestFolder(t *testing.T) {
	dir, in := tree(t)
	for name, leads := range map[string]string{
		"in/file": "in/file", "in/sub/../file": "in/file", "in/near": "in/file", "in/absolute": "in/file", "in/../in/file": "in/file",
		"out/back/../file": "in/file", // as the kernel has it: up from where the link leads
		"in/none":          "in/none", "in/own": "in/none", "in/no/ne": "in/no/ne",
		"out/file": "out/file", "in/../out/file": "out/file", "in/far": "out/file", "in/again": "out/file", "in/folder/file": "out/file",
		"in/new": "out/none", "in/folder/new": "out/new", "in/host": "/etc/passwd", "inside": "inside",
	} {
		if !filepath.IsAbs(leads) {
			leads = dir + "/" + leads
		}
		path := dir + "/" + name
		if got, err := hostfile.Resolve(path); got != leads || err != nil {
			t.Errorf("%s leads to %s (%v), want %s", name, got, err, leads)
		}
		inside := strings.HasPrefix(leads, dir+"/in/")
		if err := in.Within(path); (err == nil) != inside {
			t.Errorf("%s: %v", name, err)
		}
		if err := in.Check(path); (err == nil) != (leads == dir+"/in/file") {
			t.Errorf("check %s: %v", name, err)
		}
		switch text, err := in.Read(path, 100); {
		case leads == dir+"/in/file":
			if string(text) != "in/file" || err != nil {
				t.Errorf("read %s: %q, %v", name, text, err)
			}
		case err == nil:
			t.Errorf("read %s: %q", name, text)
		case !inside && !strings.Contains(err.Error(), "is "+leads+"; it must be in "+dir+"/in"):
			t.Errorf("read %s: %v", name, err)
		}
	}
	if _, err := hostfile.Resolve(dir + "/in/loop"); err == nil {
		t.Error("a loop leads somewhere")
	}
	if _, err := in.OpenRoot(dir + "/in/folder"); err == nil {
		t.Error("a folder outside can be opened")
	}
	if err := in.CheckTree(dir + "/in"); err == nil {
		t.Error("no link leads out")
	}
	if err := os.Symlink("../file", dir+"/in/sub/link"); err != nil {
		t.Fatal(err)
	}
	if err := in.CheckTree(dir + "/in/sub"); err != nil {
		t.Error(err)
	}
}

// TestSwapped has what is opened become a link that leads out after it was looked at.
func TestSwapped(t *testing.T) {
	dir, _ := tree(t)
	root, err := os.OpenRoot(dir + "/in")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"far", "folder/file", "host", "../out/file"} {
		if f, err := hostfile.In(root, name); err == nil {
			f.Close()
			t.Errorf("%s can be opened", name)
		}
	}
	if f, err := hostfile.In(root, "near"); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestAllOfTheHost(t *testing.T) {
	dir, _ := tree(t)
	var all *hostfile.Folder
	if err := all.Within(dir); err != nil {
		t.Error(err)
	}
	if text, err := all.Read(dir+"/in/far", 100); string(text) != "out/file" {
		t.Errorf("%q, %v", text, err)
	}
}
