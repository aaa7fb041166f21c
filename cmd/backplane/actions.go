package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/simbus/hostfile"

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
	count := cobra.ExactArgs(args)
	if k.Text != "" {
		use, count = name+" ["+k.Place.Form+"] ["+k.Text+"]", cobra.RangeArgs(args, args+1)
	}
	cmd := clientCommand(use, k.Title, count, func(c *control.Conn, _ *cobra.Command, args []string) error {
		if k.Text != "" && len(args) == 1 && isText(args[0]) {
			args = append([]string{""}, args...)
		}
		r := control.Request{Command: k.Name, Path: args[0]}
		if k.Text == "" {
			r.Value = value(args[1:])
		} else if len(args) > 1 {
			if err := readText(args[1], &r); err != nil {
				return badInput(err)
			}
		}
		return do(c, r, func(control.Reply) error { return nil })
	})
	completes(cmd, k.Place.Name)
	if k == appliance.Press {
		hold := 100 * time.Millisecond
		cmd.Flags().DurationVar(&hold, "hold", hold, "how long it is held down")
		value = func([]string) string { return fmt.Sprint(float64(hold) / float64(time.Millisecond)) }
	}
	cmd.Example = k.Example
	if k.Value != "" {
		literally(cmd, 1)
	}
	return cmd
}

// isText tells whether an argument is TOML, or the name of a file of it, and no place.
func isText(arg string) bool {
	return strings.ContainsAny(arg, "=\n/") || filepath.Ext(arg) == ".toml"
}

// readText takes an argument that is TOML, or the name of a file of it.
func readText(arg string, r *control.Request) (err error) {
	if strings.ContainsAny(arg, "=\n") {
		r.Data = []byte(arg)
		return nil
	}
	if r.Data, err = hostfile.Read(arg, maxText); err != nil {
		return err
	}
	if len(r.Data) == 0 {
		return fmt.Errorf("%s is empty", arg)
	}
	r.Value, err = filepath.Abs(arg)
	return err
}

// maxText is how long such a file may be, in bytes: what a request carries.
const maxText = 64 << 10
