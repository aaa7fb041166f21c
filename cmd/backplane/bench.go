package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"backplane/tests/bench"

	"github.com/spf13/cobra"
)

func newBench(log *programLog) *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use:   "bench [PART...]",
		Short: "Measure boot, parts, clock and network on this machine, next to a peer",
		Long: fmt.Sprintf("Measure how fast boards run on this machine, next to their peers in the same run.\nThe parts are %s; the default is all of them.",
			strings.Join(bench.Parts(), ", ")),
		ValidArgs: bench.Parts(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Parts = args
			if len(o.Memory) > 0 && slices.Min(o.Memory) < 1 {
				return badInput(errors.New("--memory is in GiB, of 1 and more"))
			}
			if o.Init, err = firmware("init"); err != nil {
				return badMachine(err)
			}
			if o.Load, err = firmware("bench/load"); err != nil {
				return badMachine(err)
			}
			if o.Pulse, err = firmware("bench/pulse"); err != nil {
				return badMachine(err)
			}
			o.Kernel, o.Out = kernelFor(cmd.ErrOrStderr(), log.Logger, ""), cmd.OutOrStdout()
			return badMachine(bench.Run(cmd.Context(), o))
		},
	}
	cmd.Args = cobra.OnlyValidArgs
	cmd.Flags().StringVar(&o.Usfstl, "usfstl", "", "the control/controller program of a usfstl tree, the virtual clock's peer")
	cmd.Flags().BoolVar(&o.UBD, "ubd", false, "measure disks also beside User Mode Linux's own, for which a kernel with it is built")
	cmd.Flags().Int64SliceVar(&o.Memory, "memory", nil, fmt.Sprintf("how much memory boards have whose boot is measured, in GiB (default %s)", strings.Trim(fmt.Sprint(bench.MemorySizes), "[]")))
	return cmd
}
