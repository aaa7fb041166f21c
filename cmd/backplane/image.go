package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"backplane/firmware/volume"
	"backplane/guest/diskimage"
	"backplane/guest/emulator"
	"backplane/guest/rootfs"
	"backplane/periph"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
)

func newImage() *cobra.Command {
	cmd := commandGroup("image", "Build images with root file systems, and look into them (docs/roots.md)")
	cmd.AddCommand(newImageBuild(), diskCommand("info", "FILE", "Say which partitions and file systems an image has", imageInfo))
	return cmd
}

func newImageBuild() *cobra.Command {
	var c diskimage.Config
	size := periph.Size(0)
	var sizeText string
	cmd := &cobra.Command{
		Use:   "build FILE [LAYER...]",
		Short: "Build an image out of folders, archives and a suite of Debian",
		Long: `Build an image with a file system out of folders and archives, which are laid over each
other as those of a board's rootfs are, and over a suite of Debian if one is named. It needs
no root, and the same inputs make the same bytes. If SOURCE_DATE_EPOCH is set, no file has a later date.`,
		Example: "  backplane image build system.img root/ app.tar\n  backplane image build debian.img --suite bookworm --include systemd-sysv,udev --size 1G\n" +
			"  backplane image build system.img --type squashfs --gpt root/",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if sizeText != "" {
				if err := size.UnmarshalText([]byte(sizeText)); err != nil {
					return badInput(fmt.Errorf("--size: %w", err))
				}
				if err := image.CheckSize(int64(size)); err != nil {
					return badInput(fmt.Errorf("--size: %w", err))
				}
			}
			c.Layers, c.Size, c.Log = args[1:], int64(size), io.Discard
			if err := checkImage(&c); err != nil {
				return badInput(err)
			}
			return imageError(diskimage.Build(cmd.Context(), args[0], c))
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Suite, "suite", "", "`SUITE` of Debian below the layers, such as bookworm, made by mmdebstrap")
	f.StringVar(&c.Arch, "arch", "", "`ARCH` of that suite: amd64, or arm64, armhf or riscv64, whose packages are unpacked but not set up")
	f.StringSliceVar(&c.Include, "include", nil, "`PACKAGES` of that suite beside the essential ones")
	f.StringVar(&c.Mirror, "mirror", "", "`URL` of the packages (default: this machine's)")
	f.StringVar(&c.Type, "type", diskimage.Ext4, "file system: ext4 or squashfs")
	f.StringVar(&sizeText, "size", "", "size of the image, such as 1G (default: what it has, and a quarter of that in an ext4)")
	f.StringVar(&c.Label, "label", "", "`LABEL` of an ext4")
	f.BoolVar(&c.GPT, "gpt", false, "put it into the first partition of a GPT")
	return cmd
}

// checkImage finds what is wrong with what is asked for.
func checkImage(c *diskimage.Config) error {
	switch {
	case c.Type != diskimage.Ext4 && c.Type != diskimage.Squashfs:
		return fmt.Errorf("--type is %q; it must be %s or %s", c.Type, diskimage.Ext4, diskimage.Squashfs)
	case c.Label != "" && c.Type != diskimage.Ext4:
		return fmt.Errorf("--label: a %s has none", c.Type)
	case len(c.Label) > 16:
		return fmt.Errorf("--label has %d bytes; it must have at most 16", len(c.Label))
	case c.Suite == "" && (len(c.Include) > 0 || c.Mirror != "" || c.Arch != ""):
		return errors.New("--include, --mirror and --arch need a suite: --suite bookworm")
	case c.Arch != "" && !slices.Contains(emulator.Names(), c.Arch):
		return fmt.Errorf("--arch is %q; it must be one of %s", c.Arch, strings.Join(emulator.Names(), ", "))
	}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 {
			return fmt.Errorf("SOURCE_DATE_EPOCH is %q; it must be seconds since 1970", text)
		}
		c.Last = time.Unix(seconds, 0)
	}
	return nil
}

// imageError tells what the user gave from what the host cannot do.
func imageError(err error) error {
	var content *rootfs.ContentError
	var missing *diskimage.MissingError
	switch {
	case errors.As(err, &content):
		return badInput(err)
	case errors.As(err, &missing):
		return badMachine(err)
	}
	return diskError(err)
}

func imageInfo(_ context.Context, name string, out io.Writer) error {
	i, err := image.Open(name, hostfile.Open)
	if err != nil {
		return err
	}
	defer i.Close()
	fmt.Fprintf(out, "%s: %s, disk of %s", name, i.Format, periph.Size(i.Size()))
	table, err := volume.ReadTable(i, i.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if table == nil {
		is, err := volume.Identify(i, i.Size())
		if err == nil {
			fmt.Fprintf(out, " with %s\n", is)
		}
		return err
	}
	fmt.Fprintf(out, " with a partition table (%s)\n", table.Kind)
	for _, p := range table.Partitions {
		is, err := volume.Identify(io.NewSectionReader(i, p.Start, p.Size), p.Size)
		if err != nil {
			return err
		}
		label := ""
		if p.Name != "" {
			label = fmt.Sprintf(" %q", p.Name)
		}
		fmt.Fprintf(out, "partition %d%s: %s at %s, with %s\n", p.Number, label, periph.Size(p.Size), periph.Size(p.Start), is)
	}
	return nil
}
