package emulator

import "debug/elf"

// Native is what boards run without an emulator, in Debian's word.
const Native = "amd64"

// Arch is an architecture whose programs a board can run.
type Arch struct {
	Name    string // Debian's
	Program string // QEMU's, which runs such programs
	Class   elf.Class
	Machine elf.Machine
}

// Archs are all there are. They are little endian.
var Archs = []Arch{
	{"arm64", "qemu-aarch64", elf.ELFCLASS64, elf.EM_AARCH64},
	{"armhf", "qemu-arm", elf.ELFCLASS32, elf.EM_ARM},
	{"riscv64", "qemu-riscv64", elf.ELFCLASS64, elf.EM_RISCV},
}

// Named finds an architecture by its name.
func Named(name string) (Arch, bool) {
	for _, a := range Archs {
		if a.Name == name {
			return a, true
		}
	}
	return Arch{}, false
}

// Names are those of all, with Native.
func Names() []string {
	list := []string{Native}
	for _, a := range Archs {
		list = append(list, a.Name)
	}
	return list
}
