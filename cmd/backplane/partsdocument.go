package main

import (
	"bytes"
	"fmt"
	"strings"

	"backplane/periph"
	"backplane/periph/catalog"
)

// partsDocument is docs/parts.md.
func partsDocument() []byte {
	var b bytes.Buffer
	b.WriteString(`# Parts

What boards and appliances are made of, as ` + "`backplane parts`" + ` prints it. ` + "`make generated`" + ` makes
this document of the catalog.

## Controllers

| table of a board | what | driver | source |
|---|---|---|---|
`)
	for _, k := range catalog.Controllers() {
		table := "on every board"
		if k.Always == "" {
			table = "`[[" + k.Table + "]]`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", table, k.Title, symbols(k.Kernel), k.Source)
	}
	b.WriteString("\n## Links\n\n| table of an appliance | what | source |\n|---|---|---|\n")
	for _, l := range catalog.Links() {
		fmt.Fprintf(&b, "| `[[%s]]` | %s | %s |\n", l.Table, l.Title, l.Source)
	}
	b.WriteString("\n## Chips\n")
	for _, m := range catalog.All.Models {
		modelDocument(&b, m)
	}
	return b.Bytes()
}

func modelDocument(b *bytes.Buffer, m *periph.Model) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n- Source: %s\n", m.Name, m.Title, m.Source)
	for _, mount := range m.On {
		fmt.Fprintf(b, "- On %s\n", place(mount))
	}
	if len(m.Kernel) > 0 {
		fmt.Fprintf(b, "- Driver: %s\n", symbols(m.Kernel))
	} else {
		b.WriteString("- No driver: only programs see it\n")
	}
	b.WriteString("\n| | name | kind | initially | what |\n|---|---|---|---|---|\n")
	for _, r := range rows(m) {
		cell := strings.NewReplacer("|", "\\|").Replace
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s |\n", r.what, r.name, cell(r.kind), cell(r.initial), cell(r.doc))
	}
}

// symbols writes CONFIG_ symbols.
func symbols(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }
