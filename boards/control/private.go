package control

import (
	"fmt"
	"os"
	"syscall"
)

// private checks that nobody but this user can put things into the folder:
// under a shared TMPDIR another one could have made it first.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it must be a folder of this user's", dir)
	case !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("the folder %s belongs to another user: set XDG_RUNTIME_DIR or TMPDIR to a place of your own", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the folder %s is open to other users: chmod 700 it", dir)
	}
	return nil
}
