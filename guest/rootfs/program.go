package rootfs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// headSize is how much of a program is looked at for the program that runs it, in
// bytes: what the kernel reads of a script (BINPRM_BUF_SIZE, 256), and where compilers
// put the name of the dynamic loader.
const headSize = 4096

// program is what a file says of how it is run.
type program struct {
	interpreter string      // what runs it: that of a script, or a dynamic loader; "" if it needs none
	machine     elf.Machine // whose instructions it has, if it is an ELF file
}

// peek looks at what runs a file, if it is a program.
func peek(e *entry, data io.Reader) (what program, all io.Reader) {
	if e.mode&typeMask != typeFile || e.mode&0o111 == 0 || e.size == 0 {
		return program{}, data
	}
	head := make([]byte, min(e.size, headSize))
	n, _ := io.ReadFull(data, head) // what is wrong with data, whoever reads on will see
	head = head[:n]
	return programOf(head), io.MultiReader(bytes.NewReader(head), data)
}

// programOf reads what a script names in its first line (execve(2)), or the header of an
// ELF program, little endian.
func programOf(head []byte) program {
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line[:min(len(line), 254)], []byte("\n"))
		if words := strings.Fields(string(line)); len(words) > 0 {
			return program{interpreter: words[0]}
		}
		return program{}
	}
	if len(head) < 64 || string(head[:4]) != elf.ELFMAG || head[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return program{}
	}
	le := binary.LittleEndian
	what := program{machine: elf.Machine(le.Uint16(head[18:]))}
	// The table of segments, and in an entry the segment's place and length (elf(5)).
	var at, count uint64
	var entry func(p []byte) (offset, size uint64)
	size := 0
	switch elf.Class(head[elf.EI_CLASS]) {
	case elf.ELFCLASS64:
		at, count, size = le.Uint64(head[32:]), uint64(le.Uint16(head[56:])), 56
		entry = func(p []byte) (uint64, uint64) { return le.Uint64(p[8:]), le.Uint64(p[32:]) }
	case elf.ELFCLASS32:
		at, count, size = uint64(le.Uint32(head[28:])), uint64(le.Uint16(head[44:])), 32
		entry = func(p []byte) (uint64, uint64) { return uint64(le.Uint32(p[4:])), uint64(le.Uint32(p[16:])) }
	}
	for range count {
		if len(head) < size || at > uint64(len(head)-size) {
			break
		}
		p := head[at:]
		if elf.ProgType(le.Uint32(p)) == elf.PT_INTERP {
			if offset, n := entry(p); offset <= uint64(len(head)) && n <= uint64(len(head))-offset {
				what.interpreter = string(bytes.TrimRight(head[offset:offset+n], "\x00"))
			}
			break
		}
		at += uint64(size)
	}
	return what
}

// maxInterpreters is how many scripts may run each other in Linux.
const maxInterpreters = 5

// Program says why a name, a full path, cannot be run: the kernel would not find it, or
// what runs it. If it can, it says whose instructions it has, 0 if it is no ELF program.
func (p *Packer) Program(name string) (elf.Machine, error) {
	what := name
	for range maxInterpreters {
		n, err := p.program(name)
		switch {
		case err != nil && what == name:
			return 0, err
		case err != nil:
			return 0, fmt.Errorf("%s is run by %s: %w", what, name, err)
		case n.interpreter == "":
			return n.machine, nil
		}
		what, name = name, n.interpreter
	}
	return 0, fmt.Errorf("%s has too many script interpreters in a row", what)
}

// program finds a program.
func (p *Packer) program(name string) (*node, error) {
	to, err := p.follow(name, true)
	if err != nil {
		return nil, err
	}
	leads := ""
	if clean(name) != to {
		leads = fmt.Sprintf(", where %s leads", name)
	}
	switch n := p.find(to); {
	case n == nil:
		return nil, p.missing(to, leads)
	case n.is(typeDir):
		return nil, fmt.Errorf("/%s is a folder%s; it must be a program", to, leads)
	case !n.is(typeFile):
		return nil, fmt.Errorf("/%s is not a file%s; it must be a program", to, leads)
	case n.mode&0o111 == 0:
		return nil, fmt.Errorf("/%s may not be run (its mode is %04o)%s: chmod +x it", to, n.mode&0o7777, leads)
	default:
		return n, nil
	}
}

// MissingError says that a root file system lacks a program.
type MissingError struct {
	Path     string   // a full one, without links
	leads    string   // who leads there, in words
	Same     string   // a program of that name elsewhere, "" if there is none
	Programs []string // all there are, in order
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no %s in the root file system%s", e.Path, e.leads)
}

// missing lists names similar to a missing program's.
func (p *Packer) missing(name, leads string) error {
	e := &MissingError{Path: "/" + name, leads: leads}
	var walk func(at string, n *node)
	walk = func(at string, n *node) {
		for child, c := range n.children {
			if c.is(typeDir) {
				walk(at+"/"+child, c)
			} else if c.is(typeSymlink) || c.is(typeFile) && c.mode&0o111 != 0 {
				e.Programs = append(e.Programs, at+"/"+child)
			}
		}
	}
	walk("", p.root)
	slices.Sort(e.Programs)
	for _, other := range e.Programs {
		if path.Base(other) != path.Base(name) || e.Same != "" && len(other) >= len(e.Same) {
			continue
		}
		if to, err := p.follow(other, true); err == nil && other != e.Path && p.find(to).is(typeFile) {
			e.Same = other
		}
	}
	return e
}
