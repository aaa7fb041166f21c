package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/catalog"
	"backplane/scenarios"

	"github.com/spf13/cobra"
)

func newParts() *cobra.Command {
	var kernel bool
	cmd := &cobra.Command{
		Use:   "parts [MODEL...]",
		Short: "List the models of parts with their properties, units and ranges",
		RunE: func(cmd *cobra.Command, names []string) error {
			if kernel {
				_, err := cmd.OutOrStdout().Write(catalog.KernelConfig())
				return err
			}
			models := catalog.All.Models
			if len(names) > 0 {
				models = nil
			}
			for _, n := range names {
				m, ok := catalog.All.Lookup(n)
				if !ok {
					known := catalog.All.Names("")
					return badInput(fmt.Errorf("unknown model %q%s", n, tomlfile.Suggest(n, known)))
				}
				models = append(models, m)
			}
			for _, m := range models {
				printModel(cmd.OutOrStdout(), m)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&kernel, "kernel-config", false, "print the kernel configuration that all parts need instead")
	return cmd
}

func printModel(out io.Writer, m *periph.Model) {
	fmt.Fprintf(out, "%s: %s\n  source: %s\n", m.Name, m.Title, m.Source)
	for _, mount := range m.On {
		fmt.Fprintf(out, "  on: %s", mount.Bus)
		for i := range mount.Keys {
			key := &mount.Keys[i]
			fmt.Fprintf(out, ", %s %s", key.Name, key.Choice())
		}
		fmt.Fprintln(out)
	}
	if len(m.Kernel) > 0 {
		fmt.Fprintf(out, "  Linux driver: %s\n", strings.Join(m.Kernel, ", "))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range m.Pins {
		kind := "input"
		if p.Output {
			kind = "output"
			if p.OpenDrain {
				kind = "open-drain output"
			}
		}
		if p.Required {
			kind += ", must be connected"
		}
		fmt.Fprintf(w, "  pin %s\t%s\t\t%s\n", p.Name, kind, p.Doc)
	}
	printSpecs(w, "option", m.Options)
	printSpecs(w, "property", m.Properties)
	w.Flush()
	fmt.Fprintln(out)
}

func printSpecs(w io.Writer, what string, specs []periph.Spec) {
	for i := range specs {
		s := &specs[i]
		kind := s.Kind.String()
		if s.Unit != "" {
			kind += " in " + s.Unit
		}
		if s.Min != 0 || s.Max != 0 {
			kind += fmt.Sprintf(", %g to %g", s.Min, s.Max)
		}
		if len(s.Enum) > 0 {
			kind = strings.Join(s.Enum, " | ")
		}
		initial := ""
		switch {
		case s.ReadOnly:
			initial = "read only"
		case s.Kind != periph.Action && s.Format(s.Default) != "":
			initial = "default " + s.Format(s.Default)
		}
		fmt.Fprintf(w, "  %s %s\t%s\t%s\t%s\n", what, s.Name, kind, initial, s.Doc)
	}
}

func newSchema() *cobra.Command {
	kinds := map[string]any{"board": &boards.Board{}, "appliance": &boards.Appliance{}}
	return &cobra.Command{
		Use:       "schema board|appliance|scenario",
		Short:     "Print the JSON schema of a kind of file, for editors",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"board", "appliance", "scenario"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var b []byte
			var err error
			if kind, ok := kinds[args[0]]; ok {
				b, err = boards.Schema(kind, "Backplane "+args[0], catalog.All)
			} else {
				b, err = scenarios.Schema(catalog.All)
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	}
}
