package confine

import (
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// libraries are the files that a program needs to be executed, as paths of the host:
// its loader, and the libraries that this finds. One that is linked statically has none.
func libraries(program string) ([]string, error) {
	found, ok := known.Load(program)
	if !ok {
		list, err := list(program)
		if err != nil {
			return nil, fmt.Errorf("find the libraries of %s: %w", program, err)
		}
		found, _ = known.LoadOrStore(program, list)
	}
	return found.([]string), nil
}

// known has what was found, by program. A program of a path stays the same one:
// kernels are cached by their contents.
var known sync.Map

func list(program string) ([]string, error) {
	loader, err := interpreter(program)
	if loader == "" || err != nil {
		return nil, err
	}
	out, err := exec.Command(loader, "--list", program).Output()
	if err != nil {
		return nil, err
	}
	files := []string{loader}
	for line := range strings.Lines(string(out)) {
		// "	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fc9ef821000)", ldd(1)
		_, file, ok := strings.Cut(line, " => ")
		if !ok {
			continue
		}
		file, _, _ = strings.Cut(file, " (")
		if !filepath.IsAbs(file) {
			return nil, errors.New(strings.TrimSpace(line))
		}
		if file != loader {
			files = append(files, file)
		}
	}
	return files, nil
}

// interpreter is the loader that a program names, "" if it names none.
func interpreter(program string) (string, error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, min(p.Filesz, 4096))
		if _, err := p.ReadAt(name, 0); err != nil {
			return "", err
		}
		return strings.TrimRight(string(name), "\x00"), nil
	}
	return "", nil
}
