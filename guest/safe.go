package guest

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"backplane/guest/confine"

	"golang.org/x/sys/unix"
)

// safe says who else could put something in the place of what is in a folder: whoever
// may rename it, or a folder above.
func safe(path string) error {
	for ; ; path = filepath.Dir(path) {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return &os.PathError{Op: "look at", Path: path, Err: err}
		}
		if !trusted(int(st.Uid)) {
			return fmt.Errorf("%s belongs to user %d, who could replace it", path, st.Uid)
		}
		if who := writers(path, &st); who != "" && st.Mode&unix.S_ISVTX == 0 {
			return fmt.Errorf("%s can write to %s, and could replace it ('chmod +t' prevents that)", who, path)
		}
		if path == "/" {
			return nil
		}
	}
}

// trusted tells whether a user is root or this one. [confine.Nobody] stands for all users
// outside in a user namespace that has no such user.
func trusted(uid int) bool {
	return uid == 0 || uid == os.Getuid() || uid == confine.Nobody && !confine.HasNobody()
}

// writers says in words who else can write to a folder, "" if nobody can.
func writers(path string, st *unix.Stat_t) string {
	switch {
	case st.Mode&unix.S_IWOTH != 0:
		return "everybody"
	case st.Mode&unix.S_IWGRP == 0: // with an access list that is its mask: nobody whom it names can
		return ""
	}
	list := make([]byte, 64<<10) // XATTR_SIZE_MAX
	n, err := unix.Getxattr(path, "system.posix_acl_access", list)
	if err != nil || n == 0 {
		return groupWriter(int(st.Gid))
	}
	return listWriters(list[:n], int(st.Gid))
}

func groupWriter(gid int) string {
	if private(gid) {
		return ""
	}
	return fmt.Sprintf("group %d", gid)
}

// Tags of a POSIX access list's entries (Linux include/uapi/linux/posix_acl.h), and the
// permission to write.
const (
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclWrite    = 2
)

// listWriters are those of an access list (posix_acl_xattr.h: a version, and entries of a
// tag, permissions and an id), of a folder of that group.
func listWriters(list []byte, gid int) string {
	for e := list[min(4, len(list)):]; len(e) >= 8; e = e[8:] {
		id := int(binary.LittleEndian.Uint32(e[4:]))
		if binary.LittleEndian.Uint16(e[2:])&aclWrite == 0 {
			continue
		}
		who := ""
		switch binary.LittleEndian.Uint16(e) {
		case aclUser:
			if !trusted(id) {
				who = fmt.Sprintf("user %d", id)
			}
		case aclGroupObj:
			who = groupWriter(gid)
		case aclGroup:
			who = groupWriter(id)
		}
		if who != "" {
			return who
		}
	}
	return ""
}

// private tells whether a group is root's, or this user's alone: by convention one that
// has the user's name (pam_umask(8), usergroups).
func private(gid int) bool {
	if gid == 0 || gid == confine.Nobody && !confine.HasNobody() {
		return true
	}
	if gid != os.Getgid() {
		return false
	}
	u, err := user.Current()
	if err != nil {
		return gid == os.Getuid()
	}
	g, err := user.LookupGroupId(strconv.Itoa(gid))
	return err == nil && g.Name == u.Username
}
