package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/periph/catalog"
	"backplane/scenarios/replay"
	"backplane/simbus"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func newReplay(log *programLog) *cobra.Command {
	var o runOptions
	var appliance string
	var changed bool
	cmd := &cobra.Command{
		Use:   "replay DIR",
		Short: "Repeat a recorded session, and compare it with the record",
		Long: `Repeat what 'backplane up --clock virtual --out DIR' or 'backplane run --out DIR'
has recorded: the same appliance gets the same inputs at the same times, as fast
as possible. Exit status 1 if the result differs or the record is cut, 2 if the appliance,
a board, a root file system, the kernel or this program has changed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := o.restrict.folder(filepath.Join(args[0], record.ManifestFile))
			if err != nil {
				return err
			}
			if err := folder.CheckTree(args[0]); err != nil {
				return badInput(fmt.Errorf("--restrict: %w", err))
			}
			s, err := replay.Load(args[0])
			if err != nil {
				return badInput(err)
			}
			if appliance == "" {
				appliance = s.Appliance
				err = folder.Within(appliance)
			} else {
				folder, err = o.restrict.folder(appliance)
			}
			if err != nil {
				return badInput(err)
			}
			a, err := boards.LoadIn(folder, appliance, catalog.All)
			if err != nil {
				return badInput(err)
			}
			return replaySession(cmd, s, a, &o, changed, log.Logger)
		},
	}
	cmd.Flags().StringVar(&o.out, "out", "", "folder for the record of the replay")
	cmd.Flags().StringVar(&o.source, "source", "", "tarball or folder with a kernel tree, instead of Debian's package")
	o.wallFlags(cmd)
	cmd.Flags().StringVar(&appliance, "appliance", "", "the appliance's or board's file, if it has moved")
	cmd.Flags().BoolVar(&changed, "changed", false, "replay even if the appliance, the kernel or this program has changed")
	o.clock = "virtual"
	return cmd
}

func replaySession(cmd *cobra.Command, s *replay.Session, a *boards.Appliance, o *runOptions, changed bool, log *zap.Logger) error {
	if o.out == "" {
		dir, err := os.MkdirTemp("", "backplane-replay-")
		if err != nil {
			return badMachine(err)
		}
		defer os.RemoveAll(dir)
		o.out = dir
	}
	opts, err := o.options(a, cmd.ErrOrStderr(), log)
	if err != nil {
		return err
	}
	out, tty := cmd.OutOrStdout(), terminal(cmd.ErrOrStderr())
	ro := replay.Options{Boards: opts, Changed: changed}
	if tty != nil {
		ro.Progress = func(t simbus.Time) { fmt.Fprintf(tty, "\r\x1b[K%s", t) }
	}
	result, err := s.Play(cmd.Context(), a, ro)
	if tty != nil {
		fmt.Fprint(tty, "\r\x1b[K")
	}
	var other *replay.ChangedError
	if errors.As(err, &other) {
		return badInput(fmt.Errorf("%w\n(--changed replays it anyway)", err))
	}
	if errors.Is(err, replay.ErrRecord) {
		return badInput(err)
	}
	if err != nil {
		return badStart(err)
	}
	what := fmt.Sprintf("%s, %.3f s of the appliance's time and %d inputs in %.3f s", s.Name, result.End.Sub(0).Seconds(), result.Inputs, result.Wall.Seconds())
	switch {
	case result.Difference != nil:
		fmt.Fprintf(out, "DIFFERENT: %s\n%s\n", what, result.Difference.Text("the record", "the replay"))
	case result.Cut != nil && result.Until > 0:
		fmt.Fprintf(out, "CUT: %s: the same as far as the record goes, to %.3f s\n", what, result.Until.Sub(0).Seconds())
	case result.Cut != nil:
		fmt.Fprintf(out, "CUT: %s: the same as far as the record goes\n", what)
	}
	if result.Cut != nil {
		fmt.Fprintln(out, result.Cut)
	}
	if result.Difference != nil || result.Cut != nil {
		return &statusError{status: exitFailed}
	}
	fmt.Fprintf(out, "SAME: %s\n", what)
	return nil
}
