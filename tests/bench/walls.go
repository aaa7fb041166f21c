package bench

import (
	"fmt"
	"os/exec"
	"time"

	"backplane/guest/confine"
)

// walls measures what it takes to put the walls up that each guest has around it, as
// a program that ends at once takes longer with them than without.
func (b *bench) walls() error {
	const program = "/bin/true"
	var with, without []float64
	for range 31 {
		begin := time.Now()
		cmd, started, err := confine.Command(confine.Program{Path: program, Name: "true", Dir: b.dir,
			Limits: confine.Limits{FileSize: 1 << 30, Data: 1 << 30}})
		if err != nil {
			return err
		}
		if err := started(cmd.Start()); err != nil {
			return fmt.Errorf("confine %s: %w", program, err)
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("confined %s: %w", program, err)
		}
		with = append(with, time.Since(begin).Seconds())
		begin = time.Now()
		if err := exec.Command(program).Run(); err != nil {
			return err
		}
		without = append(without, time.Since(begin).Seconds())
	}
	b.compare("walls around a guest (peer: the aim)", (median(with)-median(without))*1e3, 5, "ms", atMost(1))
	return nil
}
