// Package diskimage builds images with file systems for disks, out of what a root is made of:
// folders, archives and Debian's suites. It needs no privileges, only e2fsprogs,
// squashfs-tools and mmdebstrap, and the same inputs make the same bytes.
package diskimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"backplane/guest/rootfs"
)

// Config is what an image is to be.
type Config struct {
	Layers []string // as those of a board's rootfs, over the suite
	Suite  string   // of Debian, such as "bookworm"; empty for none
	Mirror string   // where its packages are; empty: where this machine's are
	// Arch is that of the packages, in Debian's words; empty for this machine's. Those of another
	// are unpacked and not set up, since nothing here runs their scripts.
	Arch string
	// Include are packages beside those that Suite has in any case.
	Include []string
	Type    string // Ext4 or Squashfs
	Size    int64  // of the image; 0: as large as it has to be
	Label   string // of an ext4
	GPT     bool   // whether it is a partition
	// Last is the latest date that a file can have; zero: files keep their dates.
	Last time.Time
	Log  io.Writer // what the tools say
}

// Types of file systems.
const (
	Ext4     = "ext4"
	Squashfs = "squashfs"
)

// MissingError says that a program is not installed.
type MissingError struct{ Program, Package string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", e.Program, e.Package)
}

// packages are what Debian calls the packages of programs.
var packages = map[string]string{"mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "sqfstar": "squashfs-tools", "mmdebstrap": "mmdebstrap", "newuidmap": "uidmap"}

// program finds one, though a user's PATH may lack the folders for root's.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{name, packages[name]}
}

// Build makes an image. A file of that name is replaced when the image is whole.
func Build(ctx context.Context, name string, c Config) error {
	if c.Type == Ext4 {
		if _, err := program("debugfs"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(name), ".image-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &build{Config: c, ctx: ctx, dir: dir}
	if err := b.pack(); err != nil {
		return err
	}
	file, err := b.fileSystem()
	if err == nil && c.GPT {
		file, err = b.partition(file)
	} else if err == nil {
		err = grow(file, c.Size)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Chmod(file, 0o644), os.Rename(file, name))
}

// build is one that is under way.
type build struct {
	Config
	ctx    context.Context
	dir    string // of what is temporary
	merged string // the tar with all files
	sum    [sha256.Size]byte
}

func (b *build) at(name string) string { return filepath.Join(b.dir, name) }

// id is an identifier that follows from what the image is made of (RFC 9562 version 8).
func (b *build) id(what string) (id [16]byte) {
	sum := sha256.Sum256(append([]byte(what), b.sum[:]...))
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

func uuid(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// pack makes one tar of the suite and the layers.
func (b *build) pack() error {
	layers := b.Layers
	if b.Suite != "" {
		if err := b.bootstrap(); err != nil {
			return err
		}
		layers = append([]string{b.at("suite.tar")}, layers...)
	}
	spool, err := os.Create(b.at("spool"))
	if err != nil {
		return err
	}
	defer spool.Close()
	p := rootfs.NewPacker(spool)
	for _, l := range layers {
		if err := p.Layer(l); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	if b.Last.IsZero() {
		b.Last = p.Latest()
	}
	b.merged = b.at("merged.tar")
	f, err := os.Create(b.merged)
	if err != nil {
		return err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %q %v\n", b.Type, b.Size, b.Label, b.GPT)
	if err := errors.Join(p.Tar(io.MultiWriter(f, h), spool, b.Last), f.Close(), os.Remove(spool.Name())); err != nil {
		return err
	}
	h.Sum(b.sum[:0])
	return nil
}

// bootstrap has mmdebstrap make a root of Debian's packages.
func (b *build) bootstrap() error {
	if os.Geteuid() != 0 { // users of a namespace stand for root and the others
		if _, err := program("newuidmap"); err != nil {
			return err
		}
	}
	args := []string{"--variant=minbase", "--format=tar"}
	if b.Arch != "" && b.Arch != runtime.GOARCH {
		args = []string{"--variant=extract", "--format=tar", "--architectures=" + b.Arch}
	}
	if len(b.Include) > 0 {
		args = append(args, "--include="+strings.Join(b.Include, ","))
	}
	args = append(args, b.Suite, b.at("suite.tar"))
	if b.Mirror != "" {
		args = append(args, b.Mirror)
	}
	return b.run("mmdebstrap", nil, args...)
}

func (b *build) fileSystem() (string, error) {
	if b.Type == Squashfs {
		return b.squashfs()
	}
	return b.ext4()
}

// squashfs packs the files with squashfs-tools.
func (b *build) squashfs() (string, error) {
	in, err := os.Open(b.merged)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out := b.at("squashfs")
	return out, b.run("sqfstar", in, "-quiet", "-no-progress", "-root-time", fmt.Sprint(b.Last.Unix()), "-root-mode", "755", "-root-uid", "0", "-root-gid", "0", out)
}

// run runs a tool, whose time stands still.
func (b *build) run(name string, in io.Reader, args ...string) error {
	path, err := program(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(b.ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	if !b.Last.IsZero() {
		// A clock of 0 would be none.
		cmd.Env = append(cmd.Env, fmt.Sprint("SOURCE_DATE_EPOCH=", b.Last.Unix()), fmt.Sprint("E2FSPROGS_FAKE_TIME=", max(b.Last.Unix(), 1)), "MKE2FS_CONFIG="+b.at("mke2fs.conf"))
	}
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, io.Discard, io.MultiWriter(&said, b.Log)
	err = cmd.Run()
	if name == "debugfs" && err == nil { // its status says nothing
		if _, mistakes, _ := strings.Cut(said.String(), "\n"); mistakes != "" {
			err = errors.New("it could not do all")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, last(said.String()))
	}
	return nil
}

// last are the last lines of what a tool has said.
func last(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// grow makes an image as large as it is to be, and a whole number of sectors.
func grow(name string, size int64) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	const block = 4096
	has := (info.Size() + block - 1) / block * block
	if size != 0 && size < has {
		return fmt.Errorf("the file system has %d bytes, the image is to have %d", has, size)
	}
	return os.Truncate(name, max(size, has))
}
