package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
)

// restriction is the flag --restrict.
type restriction string

// ownFolder is --restrict without a folder.
const ownFolder = "the file's own folder"

func (r *restriction) flag(cmd *cobra.Command) {
	const name = "restrict"
	cmd.Flags().StringVar((*string)(r), name, "", "for untrusted files: read only files in `DIR`, refuse gateways, write only to --out (docs/security.md)")
	cmd.Flags().Lookup(name).NoOptDefVal = ownFolder
}

// folder opens the folder in which all has to lie that a file names, the file as well:
// nil if there is no such.
func (r restriction) folder(file string) (*hostfile.Folder, error) {
	switch r {
	case "":
		return nil, nil
	case ownFolder:
		r = restriction(filepath.Dir(file))
	}
	f, err := hostfile.OpenFolder(string(r))
	if err == nil {
		err = f.Within(file)
	}
	if err != nil {
		return nil, badInput(fmt.Errorf("--restrict: %w", err))
	}
	return f, nil
}

// confined refuses to run guests without all walls that come from elsewhere.
func (o *runOptions) confined() error {
	if o.restrict != "" && o.unconfined {
		return badInput(errors.New("--restrict and --unconfined exclude each other: without all of its walls a guest can reach the host's files"))
	}
	return nil
}
