package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
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
		Use:   "parts [NAME...]",
		Short: "List controllers, links and models of chips: their properties, units and ranges, and their events",
		Example: `  backplane parts tmp102
  backplane parts serial`,
		RunE: func(cmd *cobra.Command, names []string) error {
			out := cmd.OutOrStdout()
			switch {
			case kernel:
				_, err := out.Write(catalog.KernelConfig())
				return err
			case markdown:
				_, err := out.Write(partsDocument())
				return err
			}
			return printParts(out, names)
		},
	}
	cmd.Flags().BoolVar(&kernel, "kernel-config", false, "print the kernel configuration that all parts need instead")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print everything as a Markdown document instead: docs/parts.md")
	cmd.MarkFlagsMutuallyExclusive("kernel-config", "markdown")
	return cmd
}

// entry is one of the catalog, as it is printed: a line, then what there is to say, then rows.
type entry struct {
	name  string // that people ask by
	head  string
	lines []string
	rows  []row
}

// entries are all of the catalog, in its order.
func entries() (list []entry) {
	for _, k := range catalog.All.Controllers {
		list = append(list, entry{controllerName(k), controllerHead(k), []string{"source: " + k.Source, drivers(k.Kernel)}, controllerRows(k)})
	}
	for _, l := range catalog.Links() {
		rows := linkRows(l)
		for i := range rows {
			if rows[i].what != "event" {
				rows[i].what = "of the " + rows[i].what + ":"
			}
		}
		list = append(list, entry{l.Table, "[[" + l.Table + "]] of an appliance: " + l.Title, []string{"source: " + l.Source}, rows})
	}
	for _, m := range catalog.All.Models {
		e := entry{m.Name, m.Name + ": " + m.Title, []string{"source: " + m.Source}, rows(m)}
		for _, mount := range m.On {
			e.lines = append(e.lines, "on: "+place(mount))
		}
		if len(m.Kernel) > 0 {
			e.lines = append(e.lines, drivers(m.Kernel))
		}
		list = append(list, e)
	}
	for _, m := range catalog.All.Makers {
		list = append(list, entry{m.Name, m.Name + ": " + m.Title, []string{"source: " + m.Source, "on: " + strings.Join(m.On, ", ")}, nil})
	}
	return list
}

func drivers(symbols []string) string { return "Linux driver: " + strings.Join(symbols, ", ") }

// controllerName is the table of a kind, or the name of what every board has.
func controllerName(k *periph.ControllerKind) string {
	if k.Always != "" {
		return k.Always
	}
	return k.Table
}

func controllerHead(k *periph.ControllerKind) string {
	if k.Always != "" {
		return k.Title + ", on every board"
	}
	return "[[" + k.Table + "]]: " + k.Title
}

// printParts prints what bears those names, all of it for none: a controller and a link may
// have the same.
func printParts(out io.Writer, names []string) error {
	all := entries()
	if len(names) == 0 {
		for i := range all {
			all[i].print(out)
		}
		return nil
	}
	known := make(map[string][]entry)
	for _, e := range all {
		known[e.name] = append(known[e.name], e)
	}
	for _, n := range names {
		if known[n] == nil {
			return badInput(fmt.Errorf("unknown part %q%s", n, periph.Suggest(n, slices.Collect(maps.Keys(known)))))
		}
	}
	for _, n := range names {
		for _, e := range known[n] {
			e.print(out)
		}
	}
	return nil
}

func (e *entry) print(out io.Writer) {
	fmt.Fprintln(out, e.head)
	for _, l := range e.lines {
		fmt.Fprintf(out, "  %s\n", l)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range e.rows {
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
