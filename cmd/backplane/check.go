package main

import (
	"errors"
	"fmt"
	"io"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/catalog"
	"backplane/scenarios"
	"backplane/simbus/hostfile"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var restrict restriction
	var paths bool
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Find every mistake in board, appliance and scenario files, without booting",
		Long: `Find every mistake in board, appliance and scenario files, without booting. It
reads the root file systems of boards with an init, to see that the init can run there.
With --paths it also lists the files and folders of this machine that the files name:
where each is named, and its path without links and "..".`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var all tomlfile.Problems
			said := make(map[tomlfile.Problem]bool) // in a file that several use it is one mistake
			for _, file := range files {
				folder, err := restrict.folder(file)
				if err != nil {
					return err
				}
				c, err := checkFile(folder, file)
				var problems tomlfile.Problems
				switch {
				case errors.As(err, &problems):
					for _, p := range problems {
						if !said[p] {
							said[p] = true
							all = append(all, p)
						}
					}
				case err != nil:
					return badInput(err)
				default:
					c.print(cmd.OutOrStdout(), file, paths)
				}
			}
			if len(all) > 0 {
				return badInput(all)
			}
			return nil
		},
	}
	restrict.flag(cmd)
	cmd.Flags().BoolVar(&paths, "paths", false, "list the files and folders of this machine that the files name")
	return cmd
}

// checked is what is known of a file that is good.
type checked struct {
	what  string          // it is
	notes []string        // on what its boards will not have: in virtual time, unless a scenario says otherwise
	paths []tomlfile.Path // that it names, and the files that it names
}

func (c *checked) print(out io.Writer, file string, paths bool) {
	fmt.Fprintf(out, "%s: %s, good\n", file, c.what)
	for _, note := range c.notes {
		fmt.Fprintf(out, "%s: note: %s\n", file, note)
	}
	if !paths {
		return
	}
	for _, p := range c.paths {
		fmt.Fprintf(out, "%s:%d:%d: %s -> %s\n", p.File, p.Line, p.Col, p.Name, p.Leads)
	}
}

// checkFile checks a file of any kind, of which all has to lie in folder unless that is nil.
func checkFile(folder *hostfile.Folder, file string) (*checked, error) {
	if scenarios.IsScenario(file) {
		s, a, err := loadScenario(folder, file)
		if err == nil {
			err = a.CheckRoots()
		}
		if err != nil {
			return nil, err
		}
		virtual := s.Clock == scenarios.Virtual
		notes, err := kernelNotes(a, virtual, true)
		return &checked{"a scenario of " + count(s.Len(), "step"), append(a.Notes(virtual), notes...), append(s.Paths(), a.Paths()...)}, err
	}
	a, err := loadAppliance(folder, file)
	if err == nil {
		err = a.CheckRoots()
	}
	if err != nil {
		return nil, err
	}
	what := "a board"
	if boards.IsAppliance(file) {
		what = "an appliance of " + count(len(a.Board), "board")
	}
	notes, err := kernelNotes(a, true, false)
	return &checked{what, append(a.Notes(true), notes...), a.Paths()}, err
}

// loadScenario reads a scenario and its appliance, and checks one against the other.
func loadScenario(folder *hostfile.Folder, file string) (*scenarios.Scenario, *boards.Appliance, error) {
	s, err := scenarios.LoadIn(folder, file)
	if err != nil {
		return nil, nil, err
	}
	a, err := loadAppliance(folder, s.AppliancePath())
	if err != nil {
		return nil, nil, err
	}
	return s, a, s.Check(a)
}

// loadAppliance reads an appliance; one whose files have to lie in a folder has no way to
// the host.
func loadAppliance(folder *hostfile.Folder, file string) (*boards.Appliance, error) {
	return loadBy(boards.LoadIn, folder, file)
}

// loadBy is loadAppliance by another function than [boards.LoadIn].
func loadBy(load func(*hostfile.Folder, string, *periph.Catalog) (*boards.Appliance, error), folder *hostfile.Folder, file string) (*boards.Appliance, error) {
	a, err := load(folder, file, catalog.All)
	if err == nil && folder != nil {
		err = a.CheckShut()
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
