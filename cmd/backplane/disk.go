package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"backplane/periph"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newDisk() *cobra.Command {
	cmd := commandGroup("disk", "Make and manage the files with disks' contents (docs/disks.md)")
	cmd.AddCommand(newDiskCreate(), newDiskInfo(), newDiskRebase(),
		diskCommand("commit", "OVERLAY", "Write an overlay's blocks into its image, and leave the overlay empty", func(ctx context.Context, name string, _ io.Writer) error {
			return image.Commit(ctx, name, hostfile.Open)
		}),
		diskCommand("reset", "OVERLAY", "Let an overlay begin anew over what its image is now", func(_ context.Context, name string, _ io.Writer) error {
			return image.Reset(name, hostfile.Open)
		}),
		diskCommand("check", "FILE", "Check an image or overlay, and those below it", func(ctx context.Context, name string, out io.Writer) error {
			err := image.Check(ctx, name, hostfile.Open)
			if err == nil {
				fmt.Fprintln(out, name+" is good")
			}
			return err
		}))
	return cmd
}

// diskCommand is one that does something with one file.
func diskCommand(name, file, short string, do func(ctx context.Context, name string, out io.Writer) error) *cobra.Command {
	return &cobra.Command{Use: name + " " + file, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return diskError(do(cmd.Context(), args[0], cmd.OutOrStdout()))
	}}
}

// diskError tells what the user gave from what the host cannot do.
func diskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EIO):
		return badMachine(err)
	}
	return badInput(err)
}

func newDiskCreate() *cobra.Command {
	var over, size string
	cmd := &cobra.Command{
		Use:     "create FILE",
		Short:   "Make an overlay over an image, or an empty raw image",
		Example: "  backplane disk create data.img --size 4G\n  backplane disk create test.overlay --over data.img",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var n periph.Size
			if size != "" {
				if err := n.UnmarshalText([]byte(size)); err != nil {
					return badInput(fmt.Errorf("--size: %w", err))
				}
			}
			if over == "" && n == 0 {
				return badInput(errors.New("create: say how large an empty image is, with --size 1G, or over which image an overlay is, with --over IMAGE"))
			}
			if over == "" {
				return created(args[0], image.CreateRaw(args[0], int64(n)))
			}
			below, err := image.Open(over, hostfile.Open)
			if err != nil {
				return diskError(err)
			}
			defer below.Close()
			return created(args[0], image.Create(args[0], below, int64(n)))
		},
	}
	cmd.Flags().StringVar(&over, "over", "", "`IMAGE` of which the overlay is to have the changes: raw, qcow2 or an overlay")
	cmd.Flags().StringVar(&size, "size", "", "size of the disk, such as 4G (default: the image's)")
	return cmd
}

// created says what to do about a file that is there, which nothing replaces.
func created(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s is there already: remove it first, or name another file", name)
	}
	return diskError(err)
}

func newDiskInfo() *cobra.Command {
	return diskCommand("info", "FILE", "Say what an image or overlay is, and what is below it", func(_ context.Context, name string, out io.Writer) error {
		i, err := image.Open(name, hostfile.Open)
		if err != nil {
			return err
		}
		defer i.Close()
		for over := ""; i != nil; i, over = i.Below, "over " {
			fmt.Fprintf(out, "%s%s: %s, disk of %s", over, i.File, i.Format, periph.Size(i.Size()))
			if o, ok := i.Source.(*image.Overlay); ok {
				fmt.Fprintf(out, ", %s of its own", periph.Size(o.Allocated()))
			}
			fmt.Fprintln(out)
		}
		return nil
	})
}

func newDiskRebase() *cobra.Command {
	var same, none bool
	cmd := &cobra.Command{
		Use:   "rebase OVERLAY [IMAGE]",
		Short: "Put an overlay over another image",
		Long: `Put an overlay over another image, with the contents that it has: blocks in which the images
differ are copied into the overlay.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if none == (len(args) == 2) {
				return badInput(errors.New("rebase: name an image, or write --none"))
			}
			var below *image.Image
			if !none {
				var err error
				if below, err = image.Open(args[1], hostfile.Open); err != nil {
					return diskError(err)
				}
				defer below.Close()
			}
			return diskError(image.Rebase(cmd.Context(), args[0], below, same, hostfile.Open))
		},
	}
	cmd.Flags().BoolVar(&same, "same", false, "the image has the contents that the old one had: copy nothing")
	cmd.Flags().BoolVar(&none, "none", false, "over no image: the overlay gets all that the disk has")
	return cmd
}
