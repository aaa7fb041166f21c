package rootfs_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"backplane/guest/rootfs"
)

// TestProgram looks for programs as a kernel would, in a folder and in archives.
func TestProgram(t *testing.T) {
	loader, err := os.ReadFile("/proc/self/exe") // itself one that may need a loader
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, map[string]string{
		"usr/sbin/init": "#!/bin/sh -e\n", "sbin": "->usr/sbin", "bin/sh": "->busybox", "bin/busybox": string(loader[:64]),
		"lost": "#! /bin/bash\n", "twice": "#!/lost\n", "round": "#!/round\n", "gone": "->/nowhere/gone", "opt/tool": "\x7fELF",
		"etc/rc": "#!/bin/sh\n", "out": "->../../bin/sh", "empty": "#!\n",
	})
	if err := os.Chmod(filepath.Join(dir, "etc/rc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "lost"), filepath.Join(dir, "zlost")); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, want, same string }{
		{"/sbin/init", "", ""},
		{"/out", "", ""},
		{"/empty", "", ""},
		{"/bin/init", "there is no /bin/init in the root file system", "/usr/sbin/init"},
		{"/lost", "/lost is run by /bin/bash: there is no /bin/bash in the root file system", ""},
		{"/zlost", "/zlost is run by /bin/bash: there is no /bin/bash in the root file system", ""},
		{"/twice", "/lost is run by /bin/bash: there is no /bin/bash in the root file system", ""},
		{"/round", "/round has too many script interpreters in a row", ""},
		{"/gone", "there is no /nowhere/gone in the root file system, where /gone leads", ""},
		{"/etc/rc", "/etc/rc may not be run (its mode is 0644): chmod +x it", ""},
		{"/etc", "/etc is a folder; it must be a program", ""},
		{"/etc/rc/x", "/etc/rc/x is below etc/rc, which is not a folder", ""},
	}
	for _, layer := range []string{dir, makeTar(t, dir), makeCPIO(t, dir)} {
		_, p, err := pack(t, []string{layer})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			got, same := "", ""
			if _, err := p.Program(tt.name); err != nil {
				got = err.Error()
				var missing *rootfs.MissingError
				if errors.As(err, &missing) {
					same = missing.Same
				}
			}
			if got != tt.want || same != tt.same {
				t.Errorf("%s: %s: %q and %q, want %q and %q", layer, tt.name, got, same, tt.want, tt.same)
			}
		}
	}
}

// TestLoader wants the loader of a program of this machine that needs one.
func TestLoader(t *testing.T) {
	program, err := os.ReadFile("/bin/ls")
	if err != nil {
		t.Skip("there is no /bin/ls: ", err)
	}
	_, p, err := pack(t, []string{tree(t, map[string]string{"bin/ls": string(program)})})
	if err != nil {
		t.Fatal(err)
	}
	const want = "/bin/ls is run by /lib64/ld-linux-x86-64.so.2: there is no /lib64/ld-linux-x86-64.so.2 in the root file system"
	if _, err := p.Program("/bin/ls"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestMachine reads whose instructions a program has, and its loader, also of 32 bits.
func TestMachine(t *testing.T) {
	le := binary.LittleEndian
	wide, narrow := make([]byte, 200), make([]byte, 200)
	copy(wide, "\x7fELF\x02\x01\x01")
	le.PutUint16(wide[18:], uint16(elf.EM_RISCV))
	copy(narrow, "\x7fELF\x01\x01\x01")
	le.PutUint16(narrow[18:], uint16(elf.EM_ARM))
	needs := bytes.Clone(narrow)
	le.PutUint32(needs[28:], 52) // the table of segments
	le.PutUint16(needs[44:], 1)
	le.PutUint32(needs[52:], uint32(elf.PT_INTERP))
	le.PutUint32(needs[56:], 100)
	le.PutUint32(needs[68:], uint32(copy(needs[100:], "/lib/ld-linux-armhf.so.3\x00")))
	_, p, err := pack(t, []string{tree(t, map[string]string{"bin/wide": string(wide), "bin/narrow": string(narrow), "bin/needs": string(needs), "bin/script": "#!/bin/wide\n"})})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]elf.Machine{"/bin/wide": elf.EM_RISCV, "/bin/narrow": elf.EM_ARM, "/bin/script": elf.EM_RISCV} {
		if got, err := p.Program(name); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	const want = "/bin/needs is run by /lib/ld-linux-armhf.so.3: there is no /lib/ld-linux-armhf.so.3 in the root file system"
	if _, err := p.Program("/bin/needs"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
