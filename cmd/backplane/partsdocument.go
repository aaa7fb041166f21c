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
	for _, k := range catalog.All.Controllers {
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
	for _, l := range catalog.Links() {
		linkDocument(&b, l)
	}
	b.WriteString("\n## Chips\n")
	for _, m := range catalog.All.Models {
		modelDocument(&b, m)
	}
	b.WriteString("\n## Makers\n\nThey make a model from a table of the board file.\n\n| model | what | on | source |\n|---|---|---|---|\n")
	for _, m := range catalog.All.Makers {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Title, strings.Join(m.On, ", "), m.Source)
	}
	return b.Bytes()
}

// linkDocument lists the properties of a kind of segment, if it is one.
func linkDocument(b *bytes.Buffer, l *periph.LinkKind) {
	list := linkRows(l)
	if len(list) == 0 {
		return
	}
	paths := "`NAME.property` and `NAME:BOARD.PORT.property`"
	if list[len(list)-1].what == portWays {
		paths = "`NAME.property`, `NAME:BOARD.PORT.property` and `NAME:BOARD.PORT.tx.property` (or `rx`)"
	}
	fmt.Fprintf(b, "\n### Properties of a %s\n\n"+paths+".\n\n| of | name | kind | what |\n|---|---|---|---|\n", l.Name)
	for _, r := range list {
		if r.initial == readOnly {
			r.kind += ", " + readOnly
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s |\n", r.what, r.name, r.kind, r.doc)
	}
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
