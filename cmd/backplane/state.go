package main

import (
	"errors"
	"fmt"

	"backplane/boards"
	"backplane/boards/control"
	"backplane/boards/saved"

	"github.com/spf13/cobra"
)

func newState() *cobra.Command {
	cmd := commandGroup("state", "Save and restore what a stopped appliance has kept (docs/disks.md)")
	cmd.AddCommand(newStateSave(), newStateRestore())
	return cmd
}

func newStateSave() *cobra.Command {
	var restrict restriction
	cmd := &cobra.Command{
		Use:   "save FILE DIR",
		Short: "Save what a stopped appliance has kept: disks and contents of chips",
		Long: `Make a folder with all that an appliance, or a board, has kept in files of this machine: what its disks
have written (keep) and what its chips hold without power (file). 'backplane state restore' puts it back.`,
		Example: "  backplane state save scenarios/power-cut/power-cut.toml before",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := restrict.folder(args[0])
			if err != nil {
				return err
			}
			if err := folder.Within(args[1]); err != nil {
				return badInput(err)
			}
			a, err := loadAppliance(folder, args[0])
			if err != nil {
				return badInput(err)
			}
			release, err := notUp(a)
			if err != nil {
				return err
			}
			defer release()
			m, err := saved.Save(cmd.Context(), a, args[1])
			if err != nil {
				return diskError(err)
			}
			for _, k := range m.Kept {
				what := "saved"
				if k.Hash == "" {
					what = "has kept nothing yet"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", k.Part, what)
			}
			if len(m.Kept) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no part of it keeps anything")
			}
			return nil
		},
	}
	restrict.flag(cmd)
	return cmd
}

func newStateRestore() *cobra.Command {
	var restrict restriction
	var appliance string
	var changed bool
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Put back what 'backplane state save' has saved",
		Long: `Put back what 'backplane state save' has saved, in place of what disks and chips have kept since. Nothing is
replaced before all is known to fit: exit status 2 if the appliance, a board or an image has changed.`,
		Example: "  backplane state restore before",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := saved.Load(args[0])
			if err != nil {
				return badInput(err)
			}
			if appliance == "" {
				appliance = m.Appliance
			}
			folder, err := restrict.folder(appliance)
			if err != nil {
				return err
			}
			a, err := loadBy(boards.LoadAnew, folder, appliance)
			if err != nil {
				return badInput(err)
			}
			release, err := notUp(a)
			if err != nil {
				return err
			}
			defer release()
			err = m.Restore(cmd.Context(), a, args[0], changed)
			var other *saved.ChangedError
			if errors.As(err, &other) {
				return badInput(fmt.Errorf("%w\n(--changed restores it anyway)", err))
			}
			if err != nil {
				return diskError(err)
			}
			for _, k := range m.Kept {
				what := "restored"
				if k.Hash == "" {
					what = "has kept nothing"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", k.Part, what)
			}
			return nil
		},
	}
	restrict.flag(cmd)
	cmd.Flags().StringVar(&appliance, "appliance", "", "the appliance's or board's file, if it has moved")
	cmd.Flags().BoolVar(&changed, "changed", false, "restore even if the files of the appliance and its boards have changed")
	return cmd
}

// notUp makes sure that the appliance is not up, and does not come up before release: the chips
// of one that is have their contents in memory, and write them over what is restored.
func notUp(a *boards.Appliance) (release func(), err error) {
	claim, err := control.NewClaim(a.Name)
	switch {
	case errors.Is(err, control.ErrBusy):
		return nil, badInput(fmt.Errorf("%s is up: end it first, by 'backplane down %[1]s'", a.Name))
	case err != nil:
		return nil, badMachine(err)
	}
	return claim.Release, nil
}
