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
		return fmt.Errorf("%w: set TMPDIR to a place where guest memory can be", err)
	}
	sizes := make([]uint64, len(a.Board))
	for i := range a.Board {
		sizes[i] = uint64(a.Board[i].Board.Memory)
	}
	return doctor.Memory(os.TempDir(), sizes)
}
