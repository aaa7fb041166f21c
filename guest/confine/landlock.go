package confine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlock lets a program without a root of its own at nothing but its files, as far as
// the host's kernel has Landlock (Linux Documentation/userspace-api/landlock.rst).
// It binds this thread, which executes the program.
func (s *spec) landlock() error {
	if err := unix.Chdir(s.Dir); err != nil {
		return fmt.Errorf("change to the folder %s: %w", s.Dir, err)
	}
	version := landlockVersion()
	if version == 0 {
		return nil // the host has none, as docs/security.md says
	}
	handled, size := restrictions(version)
	rules, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), size, 0)
	if errno != 0 {
		return fmt.Errorf("create the Landlock ruleset: %w", errno)
	}
	defer unix.Close(int(rules))
	const readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	for _, b := range append(s.Binds, bind{From: "/proc/cpuinfo"}) {
		access := uint64(readFile)
		switch {
		case b.From == s.Dir:
			access = handled.Handled_access_fs &^ unix.LANDLOCK_ACCESS_FS_EXECUTE
		case b.Exec:
			access |= unix.LANDLOCK_ACCESS_FS_EXECUTE
		}
		if err := allow(int(rules), b.From, access); err != nil {
			return fmt.Errorf("allow access to %s: %w", b.From, err)
		}
	}
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules, 0, 0); errno != 0 {
		return fmt.Errorf("enforce the Landlock ruleset: %w", errno)
	}
	return nil
}

// restrictions are all that a version of Landlock can refuse: of files 13 kinds of
// access at first, then REFER, TRUNCATE and IOCTL_DEV (versions 2, 3 and 5); TCP
// (version 4); signals to others and their abstract sockets (version 6). size is how
// much of it that version knows.
func restrictions(version int) (r unix.LandlockRulesetAttr, size uintptr) {
	r.Handled_access_fs, size = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1-1, unsafe.Offsetof(r.Handled_access_net)
	if version >= 2 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		r.Handled_access_net, size = unix.LANDLOCK_ACCESS_NET_BIND_TCP|unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, unsafe.Offsetof(r.Scoped)
	}
	if version >= 5 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		r.Scoped, size = unix.LANDLOCK_SCOPE_SIGNAL|unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, unsafe.Offsetof(r.Quiet_access_fs)
	}
	return r, size
}

// allow makes a rule for a file, or for a folder and all that is in it.
func allow(rules int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	if _, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
