package appliance

import (
	"fmt"
	"os"

	"backplane/boards"
	"backplane/guest/doctor"
)

// checkHost finds what this machine cannot do for the appliance before anything is started.
func (r *Running) checkHost(a *boards.Appliance) error {
	if err := r.checkProcesses(a); err != nil {
		return err
	}
	if err := r.checkDescriptors(a); err != nil {
		return err
	}
	if err := doctor.Folder(os.TempDir()); err != nil {
		return fmt.Errorf("%w: set TMPDIR to a folder that can hold boards' files", err)
	}
	if err := doctor.Files(os.TempDir(), files(a)); err != nil {
		return err
	}
	return r.checkMemory(a)
}

// filesBoard are those of a board in TMPDIR, beside its devices' sockets: its folder,
// device tree, initramfs, memory if that is in a file, and time.
const filesBoard = 5

// files is how many files and folders an appliance has in TMPDIR.
func files(a *boards.Appliance) uint64 {
	n := 1 // the run folder
	for i := range a.Board {
		n += filesBoard + devices(a.Board[i].Board)
	}
	return uint64(n)
}
