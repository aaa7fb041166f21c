package main

import (
	"fmt"
	"strings"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/control"

	"github.com/spf13/cobra"
)

// actionGroups are the commands that have actions below them.
var actionGroups = map[string]string{"power": "Switch a board on or off, or pull its plug"}

// newActions are the commands of all kinds of actions.
func newActions() (commands []*cobra.Command) {
	groups := make(map[string]*cobra.Command)
	for _, k := range appliance.Actions {
		words := k.Command
		if words == "" {
			words = k.Name
		}
		name, sub, nested := strings.Cut(words, " ")
		cmd := newAction(k, map[bool]string{false: name, true: sub}[nested])
		if !nested {
			commands = append(commands, cmd)
			continue
		}
		if groups[name] == nil {
			groups[name] = commandGroup(name, actionGroups[name])
			commands = append(commands, groups[name])
		}
		groups[name].AddCommand(cmd)
	}
	return commands
}

// newAction is the command of a kind of action, which has nothing to say.
func newAction(k *appliance.ActionKind, name string) *cobra.Command {
	use, args := name+" "+k.Place.Form, 1
	if k.Value != "" {
		use, args = use+" "+k.Value, 2
	}
	value := func(args []string) string { return strings.Join(args, "") }
	cmd := clientCommand(use, k.Title, cobra.ExactArgs(args), func(c *control.Conn, _ *cobra.Command, args []string) error {
		return do(c, control.Request{Command: k.Name, Path: args[0], Value: value(args[1:])}, func(control.Reply) error { return nil })
	})
	completes(cmd, k.Place.Name)
	if k == appliance.Press {
		hold := 100 * time.Millisecond
		cmd.Flags().DurationVar(&hold, "hold", hold, "how long it is held down")
		value = func([]string) string { return fmt.Sprint(float64(hold) / float64(time.Millisecond)) }
	}
	if k.Value != "" {
		cmd.Example = k.Example
		literally(cmd, 1)
	}
	return cmd
}
