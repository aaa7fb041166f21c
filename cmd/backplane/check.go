package main

import (
	"errors"
	"fmt"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph/chips"
	"backplane/scenarios"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Find every mistake in board, appliance and scenario files, without booting",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var all tomlfile.Problems
			for _, file := range files {
				what, notes, err := checkFile(file)
				var problems tomlfile.Problems
				switch {
				case errors.As(err, &problems):
					all = append(all, problems...)
				case err != nil:
					return badInput(err)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, good\n", file, what)
					for _, note := range notes {
						fmt.Fprintf(cmd.OutOrStdout(), "%s: note: %s\n", file, note)
					}
				}
			}
			if len(all) > 0 {
				return badInput(all)
			}
			return nil
		},
	}
}

// checkFile checks a file of any kind, and says what it is and what its boards will
// not have: in virtual time, unless a scenario says otherwise.
func checkFile(file string) (what string, notes []string, err error) {
	switch {
	case scenarios.IsScenario(file):
		s, err := scenarios.Load(file)
		if err != nil {
			return "", nil, err
		}
		a, err := boards.Load(s.AppliancePath(), chips.All)
		if err != nil {
			return "", nil, err
		}
		if err := s.Check(a); err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("a scenario of %d steps", s.Len()), a.Notes(s.Clock == scenarios.Virtual), nil
	case boards.IsAppliance(file):
		a, err := boards.Load(file, chips.All)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("an appliance of %d boards", len(a.Board)), a.Notes(true), nil
	}
	a, err := boards.Load(file, chips.All)
	if err != nil {
		return "", nil, err
	}
	return "a board", a.Notes(true), nil
}
