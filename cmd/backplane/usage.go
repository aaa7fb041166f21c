package main

import (
	"errors"
	"fmt"
	"slices"

	"backplane/periph"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commandGroup is a command that has others and does nothing itself but list them.
func commandGroup(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name + " COMMAND", Short: short, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var known []string
			for _, c := range cmd.Commands() {
				known = append(known, c.Name())
			}
			return badInput(fmt.Errorf("%s has no command %q%s", name, args[0], periph.Suggest(args[0], known)))
		},
	}
}

// tellUsage has a command and those below it say how they are written if their arguments
// are not what they take.
func tellUsage(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		tellUsage(c)
	}
	valid := cmd.Args
	if valid == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := valid(cmd, args)
		if err == nil || errors.As(err, new(*wrongFlag)) {
			return err
		}
		for _, a := range args {
			if len(cmd.ValidArgs) > 0 && !slices.Contains(cmd.ValidArgs, a) {
				return fmt.Errorf("%s has no %q%s", cmd.Name(), a, periph.Suggest(a, cmd.ValidArgs))
			}
		}
		return fmt.Errorf("%s takes other arguments: write '%s'", cmd.Name(), cmd.UseLine())
	}
}

// wrongFlag is what is wrong with a flag.
type wrongFlag struct{ error }

// flagError is cobra's error, with what a value should be and not how Go reads it.
func flagError(_ *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if !errors.As(err, &value) {
		return &wrongFlag{err}
	}
	var want string
	if c, ok := value.GetFlag().Value.(*choice); ok {
		want = c.all()
	}
	switch value.GetFlag().Value.Type() {
	case "duration":
		want = `a duration with its unit, such as "50ms"`
	case "int", "uint", "uint64":
		want = "a whole number"
	case "bool":
		want = "true or false"
	}
	if want == "" {
		return &wrongFlag{err}
	}
	return &wrongFlag{fmt.Errorf("--%s is %q; it must be %s", value.GetFlag().Name, value.GetValue(), want)}
}
