package rootfs

import (
	"bytes"
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

// peek finds the interpreter or loader of the program data, if it is a program.
func peek(e *entry, data io.Reader) (interpreter string, all io.Reader) {
	if e.mode&typeMask != typeFile || e.mode&0o111 == 0 || e.size == 0 {
		return "", data
	}
	head := make([]byte, min(e.size, headSize))
	n, _ := io.ReadFull(data, head) // what is wrong with data, whoever reads on will see
	head = head[:n]
	return interpreterOf(head), io.MultiReader(bytes.NewReader(head), data)
}

// interpreterOf is the program that a script names in its first line (execve(2)), or the
// dynamic loader of an ELF program for 64 bits, little endian; "" if there is none.
func interpreterOf(head []byte) string {
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line[:min(len(line), 254)], []byte("\n"))
		if words := strings.Fields(string(line)); len(words) > 0 {
			return words[0]
		}
		return ""
	}
	const header, entrySize, interp = 64, 56, 3 // elf(5): Elf64_Ehdr, Elf64_Phdr, PT_INTERP
	if len(head) < header || string(head[:6]) != "\x7fELF\x02\x01" {
		return ""
	}
	at := binary.LittleEndian.Uint64(head[32:])
	for range binary.LittleEndian.Uint16(head[56:]) {
		if at > uint64(len(head)-entrySize) {
			return ""
		}
		p := head[at:]
		if binary.LittleEndian.Uint32(p) == interp {
			offset, size := binary.LittleEndian.Uint64(p[8:]), binary.LittleEndian.Uint64(p[32:])
			if offset > uint64(len(head)) || size > uint64(len(head))-offset {
				return ""
			}
			return string(bytes.TrimRight(head[offset:offset+size], "\x00"))
		}
		at += entrySize
	}
	return ""
}

// maxInterpreters is how many scripts may run each other in Linux.
const maxInterpreters = 5

// Program says why a name, a full path, cannot be run: the kernel would not find it, or
// what runs it.
func (p *Packer) Program(name string) error {
	what := name
	for range maxInterpreters {
		n, err := p.program(name)
		switch {
		case err != nil && what == name:
			return err
		case err != nil:
			return fmt.Errorf("%s is run by %s: %w", what, name, err)
		case n.interpreter == "":
			return nil
		}
		what, name = name, n.interpreter
	}
	return fmt.Errorf("%s has too many script interpreters in a row", what)
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
