package main

import (
	"strings"
	"time"

	"backplane/boards/control"

	"github.com/spf13/cobra"
)

// completes lets the shell complete a command's arguments with what there is of a
// kind in the appliance that is up: the first, and with others all after it.
func completes(cmd *cobra.Command, first string, others ...string) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		kind := first
		if len(args) > 0 {
			if kind = ""; len(others) > 0 {
				kind = others[0]
			}
		}
		if kind == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return places(cmd, kind, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// completionLimit is how long a shell waits for an appliance.
const completionLimit = time.Second

// places are the names of a kind that begin with what was typed.
func places(cmd *cobra.Command, kind, typed string) (list []string) {
	name, _ := cmd.Flags().GetString("name")
	c, err := control.Dial(name)
	if err != nil {
		return nil // nothing is up
	}
	defer c.Close()
	defer time.AfterFunc(completionLimit, func() { c.Close() }).Stop()
	var all []string
	if ask(c, control.Request{Command: "places", Path: kind}, &all) != nil {
		return nil
	}
	for _, p := range all {
		if kind == "console" {
			p = strings.TrimSuffix(p, ":console")
		}
		if strings.HasPrefix(p, typed) {
			list = append(list, p)
		}
	}
	return list
}

// completeName completes --name.
func completeName(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, _ := control.Running() // none, if it cannot be told
	return names, cobra.ShellCompDirectiveNoFileComp
}
