package appliance

import (
	"fmt"
	"os"

	"backplane/boards"
	"backplane/guest/doctor"
)

// checkHost finds what this machine cannot do for the appliance before boards are started that come to those
// that there are.
func (r *Running) checkHost(a *boards.Appliance) error {
	list, there := a.Members(), len(r.machines())
	if err := r.checkProcesses(len(list) - there); err != nil {
		return err
	}
	if err := r.checkDescriptors(a); err != nil {
		return err
	}
	if err := doctor.Folder(os.TempDir()); err != nil {
		return fmt.Errorf("%w: set TMPDIR to a folder that can hold boards' files", err)
	}
	if err := doctor.Files(os.TempDir(), files(list[there:])); err != nil {
		return err
	}
	return r.checkMemory(list)
}

// filesBoard are those of a board in TMPDIR, beside its devices' sockets: its folder,
// device tree, initramfs, memory if that is in a file, and time.
const filesBoard = 5

// files is how many files and folders boards have in TMPDIR.
func files(list []*boards.Member) uint64 {
	n := 1 // the run folder
	for _, m := range list {
		n += filesBoard + devices(m.Board)
	}
	return uint64(n)
}
