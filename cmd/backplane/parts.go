package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"backplane/boards"
	"backplane/periph"
	"backplane/periph/catalog"
	"backplane/scenarios"

	"github.com/spf13/cobra"
)

func newParts() *cobra.Command {
	var kernel, markdown bool
	cmd := &cobra.Command{
		Use:   "parts [MODEL...]",
		Short: "List the models of parts with their properties, units and ranges, and the kinds of controllers and links",
		RunE: func(cmd *cobra.Command, names []string) error {
			out := cmd.OutOrStdout()
			switch {
			case kernel:
				_, err := out.Write(catalog.KernelConfig())
				return err
			case markdown:
				_, err := out.Write(partsDocument())
				return err
			case len(names) == 0:
				printKinds(out)
				for _, m := range catalog.All.Models {
					printModel(out, m)
				}
				for _, m := range catalog.All.Makers {
					fmt.Fprintf(out, "%s: %s\n  source: %s\n  on: %s\n\n", m.Name, m.Title, m.Source, strings.Join(m.On, ", "))
				}
				return nil
			}
			return printModels(out, names)
		},
	}
	cmd.Flags().BoolVar(&kernel, "kernel-config", false, "print the kernel configuration that all parts need instead")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print everything as a Markdown document instead: docs/parts.md")
	cmd.MarkFlagsMutuallyExclusive("kernel-config", "markdown")
	return cmd
}

// printModels prints the models of those names.
func printModels(out io.Writer, names []string) error {
	var models []*periph.Model
	for _, n := range names {
		m, ok := catalog.All.Lookup(n)
		if !ok {
			return badInput(fmt.Errorf("unknown model %q%s", n, periph.Suggest(n, catalog.All.Names(""))))
		}
		models = append(models, m)
	}
	for _, m := range models {
		printModel(out, m)
	}
	return nil
}

// printKinds prints the tables that boards and appliances are made of.
func printKinds(out io.Writer) {
	for _, k := range catalog.All.Controllers {
		head := "[[" + k.Table + "]]: " + k.Title
		if k.Always != "" {
			head = k.Title + ", on every board"
		}
		fmt.Fprintf(out, "%s\n  source: %s\n  Linux driver: %s\n\n", head, k.Source, strings.Join(k.Kernel, ", "))
	}
	for _, l := range catalog.Links() {
		fmt.Fprintf(out, "[[%s]] of an appliance: %s\n  source: %s\n", l.Table, l.Title, l.Source)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, r := range linkRows(l) {
			fmt.Fprintf(w, "  of the %s: %s\t%s\t%s\t%s\n", r.what, r.name, r.kind, r.initial, r.doc)
		}
		w.Flush()
		fmt.Fprintln(out)
	}
}

func printModel(out io.Writer, m *periph.Model) {
	fmt.Fprintf(out, "%s: %s\n  source: %s\n", m.Name, m.Title, m.Source)
	for _, mount := range m.On {
		fmt.Fprintf(out, "  on: %s\n", place(mount))
	}
	if len(m.Kernel) > 0 {
		fmt.Fprintf(out, "  Linux driver: %s\n", strings.Join(m.Kernel, ", "))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range rows(m) {
		fmt.Fprintf(w, "  %s %s\t%s\t%s\t%s\n", r.what, r.name, r.kind, r.initial, r.doc)
	}
	w.Flush()
	fmt.Fprintln(out)
}

// place says where a part hangs: "i2c, address 0x48 to 0x4f".
func place(mount *periph.Mount) string {
	where := mount.Bus
	for i := range mount.Keys {
		where += strings.TrimSuffix(", "+mount.Keys[i].Name+" "+mount.Keys[i].Choice(), " ")
	}
	return where
}

// row describes a pin, an option or a property.
type row struct{ what, name, kind, initial, doc string }

// rows are all of a model.
func rows(m *periph.Model) (list []row) {
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
		list = append(list, row{"pin", p.Name, kind, "", p.Doc})
	}
	for i := range m.Options {
		list = append(list, specRow("option", &m.Options[i]))
	}
	for i := range m.Properties {
		list = append(list, specRow("property", &m.Properties[i]))
	}
	return list
}

// linkRows are the properties of a kind of segment; none if it is none.
func linkRows(l *periph.LinkKind) (list []row) {
	if l.LinkType == 0 {
		return nil
	}
	c := l.Config().(periph.SegmentConfig)
	for _, place := range []struct{ what, port, way string }{{l.Name, "", ""}, {"port", "BOARD.PORT", ""}, {portWays, "BOARD.PORT", periph.Ways[0]}} {
		specs := c.Specs(place.port, place.way)
		for i := range specs {
			r := specRow(place.what, &specs[i])
			if r.initial != readOnly {
				r.initial = "" // which the appliance's file says
			}
			list = append(list, r)
		}
	}
	return list
}

// portWays are the two directions of a port.
const portWays = "port's tx and rx"

// readOnly stands for the initial value of what cannot be set.
const readOnly = "read only"

func specRow(what string, s *periph.Spec) row {
	kind := s.Kind.String()
	if s.Unit != "" {
		kind += " in " + s.Unit
	}
	if s.Min != 0 || s.Max != 0 {
		kind += fmt.Sprintf(", %s to %s", s.Format(periph.Num(s.Min)), s.Format(periph.Num(s.Max)))
	}
	if len(s.Enum) > 0 {
		kind = strings.Join(s.Enum, " | ")
	}
	initial := ""
	switch {
	case s.ReadOnly:
		initial = readOnly
	case s.Kind != periph.Action && s.Format(s.Default) != "":
		initial = "default " + s.Format(s.Default)
	}
	return row{what, s.Name, kind, initial, s.Doc}
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
