package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/boards/record"
	"backplane/guest/kernel"
	"backplane/scenarios"
	"backplane/simbus"
	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// runOptions are the flags of run and up.
type runOptions struct {
	clock  string
	seed   uint64
	out    string
	limit  size // of what is recorded
	source string
	start  time.Time
	stall  time.Duration

	unconfined bool
	restrict   restriction
}

func (o *runOptions) flags(cmd *cobra.Command, clock string) {
	f := cmd.Flags()
	f.StringVar(&o.clock, "clock", clock, "virtual (exact, repeatable, fast) or real")
	f.Uint64Var(&o.seed, "seed", 0, "seed of all random numbers in virtual time")
	f.StringVar(&o.out, "out", "", "folder for consoles, events, captures, device trees and reports; the record of an earlier run there is replaced")
	o.limit = defaultRecordLimit
	f.Var(&o.limit, "record-limit", "largest size of the record, with K, M, G or T; at the limit the record ends, and the run does not pass (0: no limit)")
	f.StringVar(&o.source, "source", "", "tarball or folder with a kernel tree, instead of Debian's package")
	o.wallFlags(cmd)
}

func (o *runOptions) wallFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.unconfined, "unconfined", false, "run guests even if this machine refuses some of the walls around them (docs/security.md)")
	o.restrict.flag(cmd)
}

// defaultRecordLimit is more than runs record that are meant to, and less than a disk has.
const defaultRecordLimit = 8 << 30

// size is a flag's amount of bytes.
type size boards.Size

func (s *size) String() string        { return boards.Size(*s).String() }
func (s *size) Set(text string) error { return (*boards.Size)(s).UnmarshalText([]byte(text)) }
func (s *size) Type() string          { return "size" }

// options turns the flags into what appliance.Start takes, and says what the appliance
// will not have.
func (o *runOptions) options(a *boards.Appliance, stderr io.Writer, log *zap.Logger, events ...func(*simbus.Event)) (appliance.Options, error) {
	if o.clock != "virtual" && o.clock != "real" {
		return appliance.Options{}, badInput(fmt.Errorf("--clock is %q; it must be virtual or real", o.clock))
	}
	if err := o.confined(); err != nil {
		return appliance.Options{}, err
	}
	if err := record.CheckOut(o.out); err != nil {
		return appliance.Options{}, badInput(fmt.Errorf("--out: %w", err))
	}
	init, err := firmware("init")
	if err != nil {
		return appliance.Options{}, badMachine(err)
	}
	start := o.start
	if start.IsZero() {
		start = scenarios.DefaultStart
	}
	virtual := o.clock == "virtual"
	kernels, err := ownKernels(a, virtual, o.source)
	if err == nil && virtual {
		err = haveVirtual(kernels)
	}
	if err != nil {
		return appliance.Options{}, badStart(err)
	}
	notes := append(a.Notes(virtual), losses(kernels)...)
	if o.unconfined {
		notes = append(notes, "guests run without some of the walls around them (docs/security.md)")
	}
	for _, note := range notes {
		fmt.Fprintln(stderr, "backplane:", note)
		log.Warn("note", zap.String("text", note))
	}
	runtime, err := control.Runtime()
	if err != nil && a.Outside() {
		return appliance.Options{}, badMachine(err)
	}
	return appliance.Options{Runtime: runtime, Unconfined: o.unconfined, Copies: o.restrict != "", Virtual: virtual, Seed: o.seed, Start: start, StallLimit: o.stall, Out: o.out, RecordLimit: int64(o.limit), Init: init,
		Kernel: kernelFor(stderr, log, o.source), Emulators: emulatorsFor(stderr, log), Events: events, Log: log,
		Note: func(text string) { fmt.Fprintln(stderr, "backplane:", text) }}, nil
}

// firmware finds a program that runs inside boards: `make` puts them beside
// this one.
func firmware(name string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", err
	}
	dir := os.Getenv("BACKPLANE_FIRMWARE")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(exe), "firmware")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: 'make' builds it, BACKPLANE_FIRMWARE names another folder", err)
	}
	return path, nil
}

// kernelFor finds kernels, and builds them with progress on stderr.
func kernelFor(stderr io.Writer, log *zap.Logger, source string) func(context.Context, bool, kernel.Recipe) (kernel.Image, error) {
	return func(ctx context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
		if want.Source == "" {
			want.Source = source
		}
		return buildKernel(ctx, stderr, log, &kernel.Builder{Flavour: kernel.For(virtual), Recipe: want})
	}
}

func newRun(log *programLog) *cobra.Command {
	var o runOptions
	var times int
	var until string
	var seated bool
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a scenario, print a line for each step, and judge it",
		Long: `Run a scenario, print a line for each step, and judge it.

With --until it stops there and the appliance stays up, as with 'backplane up':
a step's number (0: when the boards are up), a time of the appliance's ("1.5s"), "failure"
for a step that fails, or "end". In virtual time that is the same state each time.

With --play you are the player: other terminals reach the appliance while the scenario
plays and judges. The steps of the scenario's own player are left out, and a virtual clock
goes no faster than the wall clock.`,
		Example: "  backplane run --until failure plant-test.toml\n  backplane run --play plant-drill.toml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := o.restrict.folder(args[0])
			if err != nil {
				return err
			}
			if err := noScenario(folder, args[0]); err != nil {
				return badInput(err)
			}
			s, a, err := loadScenario(folder, args[0])
			if err != nil {
				return badInput(err)
			}
			if !cmd.Flags().Changed("seed") {
				o.seed = s.Seed
			}
			if !cmd.Flags().Changed("clock") && s.Clock != "" {
				o.clock = s.Clock
			}
			o.start = s.Start
			if seated {
				if cmd.Flags().Changed("until") || cmd.Flags().Changed("verify") {
					return badInput(errors.New("--play goes with neither --until nor --verify: it is a whole run, and one that nobody repeats"))
				}
				return runPlayed(cmd, s, a, &o, log.Logger)
			}
			if cmd.Flags().Changed("until") {
				if cmd.Flags().Changed("verify") {
					return badInput(errors.New("--until and --verify: a run that is compared has an end"))
				}
				return runUntil(cmd, s, a, &o, until, log.Logger)
			}
			if cmd.Flags().Changed("verify") {
				return verifyRuns(cmd, s, a, &o, times, log.Logger)
			}
			return run(cmd, s, a, &o, log.Logger)
		},
	}
	o.flags(cmd, "virtual")
	cmd.Flags().StringVar(&until, "until", "", "play up to here, and keep the appliance running: a step's number, a time, failure or end")
	cmd.Flags().BoolVar(&seated, "play", false, "be the player: act by commands in other terminals, while the scenario judges")
	cmd.Flags().IntVar(&times, "verify", 0, "run it this many times in virtual time, and compare the records")
	return cmd
}

// noScenario says that a file holds a board or an appliance, or what is wrong with that.
func noScenario(folder *hostfile.Folder, file string) error {
	if scenarios.IsScenario(file) {
		return nil
	}
	c, err := checkFile(folder, file)
	switch {
	case err == nil:
		return fmt.Errorf("%s is %s, not a scenario: 'backplane up %s' starts it", file, c.what, file)
	case boards.IsAppliance(file):
		return err
	}
	return nil
}

func run(cmd *cobra.Command, s *scenarios.Scenario, a *boards.Appliance, o *runOptions, log *zap.Logger) error {
	out := cmd.OutOrStdout()
	opts, err := o.options(a, cmd.ErrOrStderr(), log)
	if err != nil {
		return err
	}
	report, err := scenarios.Play(cmd.Context(), s, a, opts, scenarios.Options{OnStep: func(r scenarios.StepResult) { printStep(out, r) }})
	return judged(out, report, err)
}

// judged tells what became of a scenario, and returns the exit status.
func judged(out io.Writer, report *scenarios.Report, err error) error {
	if report != nil {
		printReport(out, report)
	}
	if err != nil {
		return badStart(err)
	}
	if !report.Passed() {
		return &statusError{status: exitFailed}
	}
	return nil
}

func printReport(out io.Writer, r *scenarios.Report) {
	fmt.Fprintf(out, "%s: %s, %.3f s of the appliance's time in %.3f s (%s clock, seed %d)\n",
		strings.ToUpper(r.Result), r.Scenario, r.End.Sub(0).Seconds(), r.Wall.Seconds(), r.Clock, r.Seed)
}

func printStep(out io.Writer, r scenarios.StepResult) {
	mark, colour := "ok  ", green
	if r.Result != scenarios.Passed {
		mark, colour = "FAIL", red
	}
	who := ""
	if r.Player {
		who = "player: "
	}
	fmt.Fprintf(out, "%12.6f  %s  %s%s\n", r.End.Sub(0).Seconds(), paint(out, colour, mark), who, r.Name)
	if r.Failure != nil {
		fmt.Fprintf(out, "%v\nthe step is in %s\n", r.Failure, r.Where)
	}
}
