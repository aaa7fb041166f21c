package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"backplane/boards/control"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newCp() *cobra.Command {
	cmd := clientCommand("cp FILE BOARD:PATH | cp BOARD:PATH FILE", "Copy a file to a board, or from one", cobra.ExactArgs(2),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			from, fromPath, isFrom := boardPath(args[0])
			to, toPath, isTo := boardPath(args[1])
			switch {
			case isFrom == isTo:
				return badInput(errors.New("one argument must be a file on a board, BOARD:PATH, and the other a file on this machine"))
			case isTo:
				return copyTo(c, args[0], to, toPath)
			}
			return copyFrom(c, from, fromPath, args[1])
		})
	cmd.Long = `Copy a file to a board, or from one, with its permissions. A path on a board is
absolute; if it ends with /, it is a folder, and the file keeps its name there. The
local file "-" is standard input or output. For whole folders use tar:

  tar c -C app . | backplane exec sensor tar x -C /opt`
	cmd.Example = "  backplane cp app sensor:/usr/bin/\n  backplane cp sensor:/var/log/messages ."
	return cmd
}

// boardPath cuts BOARD:PATH. What has a slash before the colon is a file here.
func boardPath(arg string) (board, file string, ok bool) {
	board, file, ok = strings.Cut(arg, ":")
	if !ok || strings.Contains(board, "/") {
		return "", "", false
	}
	return board, file, true
}

// standard names standard input and output.
const standard = "-"

func copyTo(c *control.Conn, name, board, to string) error {
	in, mode := os.Stdin, os.FileMode(0o644)
	if name != standard {
		f, err := os.Open(name)
		if err != nil {
			return badInput(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder: use tar, as 'backplane help cp' shows", name)
		}
		if err != nil {
			return badInput(err)
		}
		in, mode = f, info.Mode().Perm()
	}
	if strings.HasSuffix(to, "/") {
		to = path.Join(to, filepath.Base(name))
	}
	if !path.IsAbs(to) {
		return badInput(fmt.Errorf("%s:%s: a path on a board begins with /", board, to))
	}
	if err := c.Send(control.Request{Command: "put", Path: board, Value: to, Mode: mode}); err != nil {
		return badMachine(err)
	}
	j := newJob(c)
	go func() {
		if err := j.give(in); err != nil {
			c.Close() // which leaves the file on the board as it was
		}
	}()
	_, err := j.take(io.Discard, os.Stderr)
	return failed(folder(err, "%s:%s is a folder on the board: add a / to copy the file into it", board, to))
}

// failed is status 1, for what a board could not do, unless there is no such board.
func failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*statusError)): // this end has failed
		return err
	case errors.As(err, new(*control.NameError)):
		return badInput(err)
	}
	return &statusError{exitFailed, err}
}

// folder is what is wrong where a board says that a path is a folder.
func folder(err error, format string, args ...any) error {
	if err != nil && strings.HasSuffix(err.Error(), unix.EISDIR.Error()) {
		return fmt.Errorf(format, args...)
	}
	return err
}

// copyFrom writes under another name first, so that a file is never half there.
func copyFrom(c *control.Conn, board, from, name string) error {
	if !path.IsAbs(from) {
		return badInput(fmt.Errorf("%s:%s: a path on a board begins with /", board, from))
	}
	const use = "%s:%s is a folder on the board: use 'backplane exec %s tar c -C %s . | tar x'"
	if err := c.Send(control.Request{Command: "fetch", Path: board, Value: from}); err != nil {
		return badMachine(err)
	}
	if name == standard {
		_, err := newJob(c).take(os.Stdout, os.Stderr)
		return failed(folder(err, use, board, from, board, from))
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, path.Base(from))
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".backplane-cp-*")
	if errors.Is(err, fs.ErrNotExist) {
		return badInput(fmt.Errorf("%s: there is no folder %s", name, filepath.Dir(name)))
	}
	if err != nil {
		return badInput(err)
	}
	defer undoing(func() { os.Remove(f.Name()) })() // unless it has its name by then
	last, err := newJob(c).take(f, os.Stderr)
	err = folder(err, use, board, from, board, from)
	if err == nil {
		err = f.Chmod(last.Mode)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return failed(err)
}
