package main

import (
	"fmt"
	"os"
	"strings"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// emulators is the file system of binfmt_misc, once it has been told of an emulator. What it was
// told lasts as long as this is open. It has no place in the root: on hardware there is nothing
// either, and an init system can have its own there.
var emulators []*os.File

// emulate has the kernel run programs of another architecture by an emulator, from now on in all
// roots: the kernel opens it here and now (F, Documentation/admin-guide/binfmt-misc.rst), so that
// its file can go. P keeps programs' own names for themselves, C their set-user-ID bits.
func emulate(e *config.Emulator) error {
	context, err := unix.Fsopen("binfmt_misc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("binfmt_misc: %w", err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return fmt.Errorf("binfmt_misc: %w", err)
	}
	root, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("mount binfmt_misc: %w", err)
	}
	emulators = []*os.File{os.NewFile(uintptr(root), "binfmt_misc")}
	register, err := unix.Openat(root, "register", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("binfmt_misc: %w", err)
	}
	defer unix.Close(register)
	if _, err := unix.Write(register, []byte(rule(e))); err != nil {
		return fmt.Errorf("register %s: %w", e.Path, err)
	}
	return os.Remove(e.Path)
}

// rule tells programs by the beginning of their files (elf(5)): the class, little endian, version
// 1, any system, an executable or a shared object, the machine.
func rule(e *config.Emulator) string {
	magic := []byte{0x7f, 'E', 'L', 'F', e.Class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, byte(e.Machine), byte(e.Machine >> 8)}
	const mask = "\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff"
	return fmt.Sprintf(":emulator:M::%s:%s:%s:FPC", escaped(string(magic)), escaped(mask), e.Path)
}

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}
