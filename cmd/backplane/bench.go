package main

import (
	"fmt"
	"strings"

	"backplane/tests/bench"

	"github.com/spf13/cobra"
)

func newBench(log *programLog) *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use:   "bench [PART...]",
		Short: "Measure boot, parts, clock and network here, beside a peer",
		Long: fmt.Sprintf("Measure how fast boards are on this machine, beside their peers in the same run.\nThe parts are %s; all of them unless some are named.",
			strings.Join(bench.Parts(), ", ")),
		ValidArgs: bench.Parts(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Parts = args
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
	cmd.Flags().StringVar(&o.Usfstl, "usfstl", "", "the control/controller of a usfstl tree, to compare the virtual clock with")
	return cmd
}
