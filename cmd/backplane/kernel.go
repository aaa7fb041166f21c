package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"backplane/guest/doctor"
	"backplane/guest/kernel"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newKernel() *cobra.Command {
	var b kernel.Builder
	flavour, config := "virtual", ""
	build := &cobra.Command{
		Use:   "build",
		Short: "Build a guest kernel into the cache, unless it is there",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config != "" {
				var err error
				if b.Extra, err = os.ReadFile(config); err != nil {
					return badInput(err)
				}
				b.ExtraFile = config
			}
			flavours := []kernel.Flavour{kernel.Flavour(flavour)}
			switch flavour {
			case "all":
				flavours = []kernel.Flavour{kernel.Virtual, kernel.SMP}
			case "virtual", "smp":
			default:
				return badInput(fmt.Errorf("--flavour is %q, and must be virtual, smp or all", flavour))
			}
			for _, f := range flavours {
				one := b
				one.Flavour = f
				path, err := buildKernel(cmd.Context(), cmd.ErrOrStderr(), &one)
				if err != nil {
					return badStart(err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return nil
		},
	}
	build.Flags().StringVar(&flavour, "flavour", "virtual", "virtual (time travel or one CPU), smp (host time, up to 64 CPUs) or all")
	build.Flags().StringVar(&b.Source, "source", "", "tarball with a kernel tree, instead of Debian's package")
	build.Flags().StringVar(&config, "config", "", "file with further configuration, as a board's kernel_config")
	build.Flags().IntVarP(&b.Jobs, "jobs", "j", 0, "compilers at once (default: one a CPU)")
	cmd := &cobra.Command{Use: "kernel", Short: "Build guest kernels"}
	cmd.AddCommand(build)
	return cmd
}

// buildKernel builds with progress: on a terminal one line that changes,
// elsewhere a line for each step and each tenth.
func buildKernel(ctx context.Context, out io.Writer, b *kernel.Builder) (string, error) {
	f, isFile := out.(*os.File)
	tty := isFile && term.IsTerminal(int(f.Fd()))
	last := ""
	b.Progress = func(p kernel.Progress) {
		text := fmt.Sprintf("%s kernel: %3d %% %s", b.Flavour, p.Percent, p.Step)
		if p.Left > 0 {
			text += fmt.Sprintf(", about %s left", p.Left.Round(time.Second))
		}
		if tty {
			fmt.Fprintf(out, "\r\x1b[K%s", text)
			return
		}
		if key := fmt.Sprint(p.Step, p.Percent/10); key != last {
			last = key
			fmt.Fprintln(out, text)
		}
	}
	path, err := b.Build(ctx)
	if tty {
		fmt.Fprint(out, "\r\x1b[K")
	}
	return path, err
}

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find what this machine lacks to run boards",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bad := 0
			for _, f := range doctor.Check() {
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
					fmt.Fprintf(cmd.OutOrStdout(), "      %-26s %s\n", "to mend it:", f.Fix)
				}
			}
			if bad > 0 {
				return &statusError{status: exitMachine}
			}
			return nil
		},
	}
}
