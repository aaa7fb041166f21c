package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/guest/doctor"
	"backplane/guest/kernel"
	"backplane/periph"
	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func newKernel(log *programLog) *cobra.Command {
	var b kernel.Builder
	flavour, config := "virtual", ""
	build := &cobra.Command{
		Use:   "build [FILE]",
		Short: "Build a guest kernel into the cache, unless it is there",
		Long: `Build a guest kernel into the cache, unless it is there: Backplane's own, or the
kernels that a board, appliance or scenario file needs.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if config != "" {
				text, err := hostfile.Read(config, boards.MaxKernelConfig)
				if err != nil {
					return badInput(err)
				}
				b.Config = []kernel.Fragment{{File: config, Text: text}}
			}
			flavours := []kernel.Flavour{kernel.Flavour(flavour)}
			switch flavour {
			case "all":
				flavours = []kernel.Flavour{kernel.Virtual, kernel.SMP}
			case "virtual", "smp":
			default:
				return badInput(fmt.Errorf("--flavour is %q; it must be virtual, smp or all", flavour))
			}
			var list []boardBuilder
			if len(args) > 0 {
				if b.Source != "" || config != "" {
					return badInput(errors.New("--source and --config cannot be used with a file, which says what its boards' kernels are built from"))
				}
				var err error
				if list, err = boardBuilders(args[0], flavours); err != nil {
					return badInput(err)
				}
			} else {
				for _, f := range flavours {
					list = append(list, boardBuilder{kernel.Builder{Flavour: f, Recipe: b.Recipe}, func(err error) error { return err }})
				}
			}
			return printKernels(cmd.OutOrStdout(), list, func(one *kernel.Builder) (kernel.Image, error) {
				one.Jobs = b.Jobs
				return buildKernel(cmd.Context(), cmd.ErrOrStderr(), log.Logger, one)
			})
		},
	}
	build.Flags().StringVar(&flavour, "flavour", "virtual", "virtual (time travel or one CPU), smp (host time, up to 256 CPUs) or all")
	build.Flags().StringVar(&b.Source, "source", "", "tarball or folder with a kernel tree, instead of Debian's package")
	build.Flags().StringVar(&config, "config", "", "file with extra configuration, like a board's kernel_config")
	build.Flags().IntVarP(&b.Jobs, "jobs", "j", 0, "compilers at once (default: one per CPU)")
	cmd := commandGroup("kernel", "Build guest kernels")
	cmd.AddCommand(build, newKernelTree(log))
	return cmd
}

func newKernelTree(log *programLog) *cobra.Command {
	var b kernel.Builder
	cmd := &cobra.Command{
		Use:   "tree",
		Short: "Print the folder of the kernels' unpacked, patched source",
		Long: `Print the cache folder of the kernels' unpacked, patched source, against which modules
are built. The command makes the folder if it is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkSource(b.Source, b.Revision); err != nil {
				return badInput(err)
			}
			b.Log = log.Logger
			end := showProgress(cmd.ErrOrStderr(), &b, "kernel tree")
			path, err := b.Tree(cmd.Context())
			end()
			if err != nil {
				return badMachine(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
	cmd.Flags().StringVar(&b.Source, "source", "", "tarball or folder with a kernel tree, instead of Debian's package")
	return cmd
}

// buildKernel builds with progress. What is wrong in a configuration is tomlfile.Problems.
func buildKernel(ctx context.Context, out io.Writer, log *zap.Logger, b *kernel.Builder) (kernel.Image, error) {
	b.Nearest, b.Log = periph.Nearest, log
	b.Note = func(text string) { fmt.Fprintln(out, "backplane:", text) }
	if err := checkSource(b.Source, b.Revision); err != nil {
		return kernel.Image{}, err
	}
	end := showProgress(out, b, string(b.Flavour)+" kernel")
	image, err := b.Build(ctx)
	end()
	var list kernel.Problems
	if errors.As(err, &list) {
		problems := make(tomlfile.Problems, len(list))
		for i, p := range list {
			problems[i] = tomlfile.Problem{File: p.File, Line: p.Line, Col: 1, Text: p.Text}
		}
		err = problems
	}
	return image, err
}

// checkSource says why a kernel's source is none; "" is Debian's package.
func checkSource(name, revision string) error {
	if name == "" {
		return nil
	}
	if _, err := kernel.KindOf(name, revision); err != nil {
		return tomlfile.Problems{{File: name, Text: "kernel source: " + err.Error()}}
	}
	return nil
}

// showProgress shows that of a kernel's build.
func showProgress(out io.Writer, b *kernel.Builder, what string) (end func()) {
	show, end := progressLine(out, what)
	b.Progress = func(p kernel.Progress) { show(p.Step, p.Percent, p.Left) }
	return end
}

// progressLine shows progress on a terminal in one line that changes, and goes at the
// end; elsewhere in a line for each step and each tenth.
func progressLine(out io.Writer, what string) (show func(step string, percent int, left time.Duration), end func()) {
	tty, last := terminal(out), ""
	show = func(step string, percent int, left time.Duration) {
		text := fmt.Sprintf("%s: %3d %% %s", what, percent, step)
		if left > 0 {
			text += fmt.Sprintf(", about %s left", left.Round(time.Second))
		}
		if tty != nil {
			fmt.Fprintf(tty, "\r\x1b[K%s", text)
			return
		}
		if key := fmt.Sprint(step, percent/10); key != last {
			last = key
			fmt.Fprintln(out, text)
		}
	}
	return show, func() {
		if tty != nil {
			fmt.Fprint(tty, "\r\x1b[K")
		}
	}
}

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [FILE]",
		Short: "Find what this machine lacks to run boards",
		Long: `Find what this machine lacks to run boards. With a board, appliance or scenario file,
also show what the boards' own kernels lack.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, bad := doctor.Check(), 0
			if len(args) > 0 {
				kernels, err := kernelFindings(args[0])
				if err != nil {
					return badInput(err)
				}
				found = append(found, kernels...)
			}
			for _, f := range found {
				mark := "ok  "
				switch {
				case !f.OK && f.Extra:
					mark = "none"
				case !f.OK:
					mark = "LACK"
					bad++
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %-26s %s\n", mark, f.Name, f.Detail)
				if !f.OK {
					fmt.Fprintf(cmd.OutOrStdout(), "      %-26s %s\n", "to fix it:", f.Fix)
				}
			}
			if bad > 0 {
				return &statusError{status: exitMachine}
			}
			return nil
		},
	}
}
