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
	for _, k := range catalog.All.Controllers {
		controllerDocument(&b, k)
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

// controllerDocument lists the properties and events of a kind, if it has any.
func controllerDocument(b *bytes.Buffer, k *periph.ControllerKind) {
	rows := controllerRows(k)
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", controllerHead(k))
	if len(k.Properties) > 0 {
		b.WriteString("Its properties are `BOARD.NAME.property`.\n\n")
	}
	rowsDocument(b, rows)
}

// linkDocument lists the events of a kind of link, and the properties if it is one of segments.
func linkDocument(b *bytes.Buffer, l *periph.LinkKind) {
	if len(l.Events) > 0 {
		fmt.Fprintf(b, "\n### Events of a %s\n\n", l.Name)
		rowsDocument(b, eventRows(l.Events))
	}
	list := segmentRows(l)
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
	b.WriteByte('\n')
	rowsDocument(b, rows(m))
}

func rowsDocument(b *bytes.Buffer, rows []row) {
	b.WriteString("| | name | kind | initially | what |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		cell := strings.NewReplacer("|", "\\|").Replace
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s |\n", r.what, r.name, cell(r.kind), cell(r.initial), cell(r.doc))
	}
}

// symbols writes CONFIG_ symbols.
func symbols(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }
