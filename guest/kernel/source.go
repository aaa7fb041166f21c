package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"backplane/simbus/hostfile"
)

// SourceKind is what a kernel's source is on the host.
type SourceKind int

// The kinds of sources.
const (
	Tarball  SourceKind = iota // with one folder at its top, as the kernel's own have
	Folder                     // as it stands, without what git knows
	Revision                   // of a git repository, as it is committed
)

// KindOf looks what a source is: a tarball, or a folder, of which a revision may be
// wanted. The error says what is wrong with it, without its name.
func KindOf(source, revision string) (SourceKind, error) {
	info, err := os.Stat(source)
	var cause *fs.PathError
	switch {
	case errors.As(err, &cause):
		return 0, cause.Err
	case err != nil:
		return 0, err
	case info.Mode().IsRegular() && revision != "":
		return 0, errors.New("is a file; only a git repository has a revision")
	case info.Mode().IsRegular():
		return Tarball, nil
	case !info.IsDir():
		return 0, fmt.Errorf("is %s; it must be a tarball, or a folder with a kernel tree", hostfile.Kind(info.Mode()))
	case revision != "":
		return Revision, nil
	}
	if _, err := os.Stat(filepath.Join(source, "arch/um")); err == nil {
		return Folder, nil
	}
	if _, err := os.Stat(filepath.Join(source, "HEAD")); err == nil {
		return 0, errors.New("is a bare git repository: it needs a revision, such as \"v7.2\"")
	}
	return 0, errors.New("is not a kernel tree: it has no arch/um")
}

// SourceError says why no kernel can be built from a source.
type SourceError struct {
	Source string
	Err    error
}

func (e *SourceError) Error() string { return fmt.Sprintf("kernel source: %s: %v", e.Source, e.Err) }

func (e *SourceError) Unwrap() error { return e.Err }

// source names what the kernel would be built from, so that another content has another
// name: the tarball's hash, that of what the folder's files look like, or the git tree;
// of Debian's package the version that is in the cache, "" if none is.
func (b *Builder) source(cache string) (string, error) {
	if b.Source == "" {
		_, version := cachedPackage(cache)
		return version, nil
	}
	kind, err := KindOf(b.Source, b.Revision)
	if err != nil {
		return "", &SourceError{b.Source, err}
	}
	var name string
	switch kind {
	case Tarball:
		name, err = hashTarball(b.Source)
	case Folder:
		name, err = hashFolder(b.Source)
	case Revision:
		name, err = gitTree(b.Source, b.Revision)
	}
	if err != nil {
		return "", &SourceError{b.Source, err}
	}
	return name, nil
}

func hashTarball(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "tarball " + hex.EncodeToString(h.Sum(nil)), nil
}

// hashFolder goes by names, sizes, modes and times of the files: to read a tree of a
// gigabyte at each start would take seconds.
func hashFolder(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil // what is in it counts
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%q %v %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return err
	})
	return "folder " + hex.EncodeToString(h.Sum(nil)), err
}

// gitTree is the tree's object of a revision.
func gitTree(dir, revision string) (string, error) {
	out, err := output("git", "-C", dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{tree}")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return "", fmt.Errorf("the git repository has no revision %q", revision)
	}
	return "git " + strings.TrimSpace(string(out)), err
}

// output is what a program prints; the error has its own words.
func output(name string, args ...string) ([]byte, error) {
	out, err := exec.Command(name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%s: %w", strings.TrimSpace(string(exit.Stderr)), err)
	}
	return out, err
}

// Facts are what is known of a source without building it.
type Facts struct {
	Version string `json:"version"` // "7.2.12"
	SMP     bool   `json:"smp"`     // User Mode Linux can have several CPUs
	Seccomp bool   `json:"seccomp"` // it need not run programs by ptrace(2), behind a board's walls
	Shared  bool   `json:"shared"`  // it has memory in common with its clock, as virtual time needs
}

// Series is the version's first two numbers.
func (f Facts) Series() string {
	parts := strings.SplitN(f.Version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// Virtual is the reason why a board with such a kernel has no virtual time, or nil.
func (f Facts) Virtual() error {
	if f.Shared {
		return nil
	}
	return fmt.Errorf("is Linux %s, which has real time only: virtual time needs a User Mode Linux that shares memory with its clock: 6.12 or later", f.Version)
}

// Patched tells whether Backplane has patches for this series.
func (f Facts) Patched() bool {
	list, err := patchFiles("patches/" + f.Series()) // their texts are not looked at: each board asks
	return err == nil && len(list) > 0
}

// Facts looks at the source. What it finds in one that takes long to look at is kept in
// the cache.
func (b *Builder) Facts() (Facts, error) {
	cache, err := b.cache()
	if err != nil {
		return Facts{}, err
	}
	source, err := b.source(cache)
	if err != nil {
		return Facts{}, err
	}
	return b.facts(cache, source)
}

// facts are those of the source that has that name.
func (b *Builder) facts(cache, source string) (f Facts, err error) {
	if b.Source == "" {
		return Facts{Version: Series, SMP: true, Seccomp: true, Shared: true}, nil
	}
	sum := sha256.Sum256([]byte(source))
	file := filepath.Join(cache, "facts-"+hex.EncodeToString(sum[:])[:24]+".json")
	if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &f) == nil {
		return f, nil
	}
	kind, err := KindOf(b.Source, b.Revision)
	if err != nil {
		return f, &SourceError{b.Source, err}
	}
	text, err := b.look(kind)
	if err != nil {
		return f, &SourceError{b.Source, fmt.Errorf("is not a kernel tree of Linux %s or later: %w", oldest, err)}
	}
	if f, err = readFacts(text); err != nil {
		return f, &SourceError{b.Source, err}
	}
	f.Seccomp = f.Seccomp && f.Patched() // it would make memory that the walls refuse: patch 0019
	f.Shared = f.Shared || f.has(turns)
	if text, err = json.Marshal(f); err != nil {
		return f, err
	}
	if _, err := os.Stat(cache); err != nil {
		return f, nil // nothing has been built here yet
	}
	return f, write(cache, file, append(text, '\n'))
}

// write makes a file as a whole.
func write(dir, file string, text []byte) error {
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// oldest is the first series whose virtio_uml looks for its devices in a device tree.
const oldest = "5.17"

// told are the files that tell what a tree is.
var told = []string{"Makefile", "arch/um/Kconfig", "arch/um/os-Linux/start_up.c", "arch/um/drivers/virtio_uml.c", "include/uapi/linux/um_timetravel.h"}

// look reads them.
func (b *Builder) look(kind SourceKind) (text []byte, err error) {
	if kind == Tarball {
		args := []string{"-xOf", b.Source, "--occurrence=1", "--wildcards", "--no-wildcards-match-slash"}
		for _, name := range told {
			args = append(args, "*/"+name)
		}
		return output("tar", args...)
	}
	for _, name := range told {
		var one []byte
		if kind == Folder {
			one, err = os.ReadFile(filepath.Join(b.Source, name))
		} else {
			one, err = output("git", "-C", b.Source, "cat-file", "blob", b.Revision+":"+name)
		}
		if err != nil {
			return nil, err
		}
		text = append(text, one...)
	}
	return text, nil
}

var (
	versionLine = regexp.MustCompile(`(?m)^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)\s*$`)
	smpLine     = regexp.MustCompile(`(?m)^config SMP$`)
	deviceTree  = regexp.MustCompile(`"virtio,uml"`)
	sharedLine  = regexp.MustCompile(`(?m)^struct um_timetravel_schedshm \{`)
	seccompLine = regexp.MustCompile(`(?m)^__uml_setup\("seccomp="`)
)

// readFacts finds them in those files.
func readFacts(text []byte) (Facts, error) {
	has := make(map[string]string)
	for _, m := range versionLine.FindAllSubmatch(text, -1) {
		has[string(m[1])] = string(m[2])
	}
	if has["VERSION"] == "" || has["PATCHLEVEL"] == "" {
		return Facts{}, errors.New("is not a kernel tree: its Makefile has no VERSION and no PATCHLEVEL")
	}
	f := Facts{Version: has["VERSION"] + "." + has["PATCHLEVEL"], SMP: smpLine.Match(text), Seccomp: seccompLine.Match(text), Shared: sharedLine.Match(text)}
	if has["SUBLEVEL"] != "" {
		f.Version += "." + has["SUBLEVEL"]
	}
	if !deviceTree.Match(text) {
		return f, fmt.Errorf("is Linux %s; it must be %s or later: older User Mode Linux takes no device tree, which tells a kernel the parts of its board", f.Version, oldest)
	}
	return f, nil
}
