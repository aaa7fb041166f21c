package main

import (
	"context"
	"fmt"
	"io"

	"backplane/guest/emulator"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func newEmulator(log *programLog) *cobra.Command {
	var b emulator.Builder
	build := &cobra.Command{
		Use:   "build",
		Short: "Build what runs programs of other architectures into the cache, unless it is there",
		Long: `Build what runs programs of other architectures on boards (arch under [firmware]) into the
cache, unless it is there, and print its folder. The first run that needs it builds it as well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := buildEmulators(cmd.Context(), cmd.ErrOrStderr(), log.Logger, &b)
			if err != nil {
				return badMachine(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), dir)
			return nil
		},
	}
	build.Flags().IntVarP(&b.Jobs, "jobs", "j", 0, "compilers at once (default: one per CPU)")
	cmd := commandGroup("emulator", "Build emulators of other architectures (docs/roots.md)")
	cmd.AddCommand(build)
	return cmd
}

// buildEmulators builds with progress.
func buildEmulators(ctx context.Context, out io.Writer, log *zap.Logger, b *emulator.Builder) (string, error) {
	b.Log = log
	show, end := progressLine(out, "emulator")
	b.Progress = func(step string, percent int) { show(step, percent, 0) }
	defer end()
	return b.Build(ctx)
}

// emulatorsFor finds emulators, and builds them with progress on stderr.
func emulatorsFor(stderr io.Writer, log *zap.Logger) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return buildEmulators(ctx, stderr, log, new(emulator.Builder))
	}
}
