package tomlfile

import "fmt"

// Limits of what is read, so that a file costs time and memory in proportion to its
// size: libraries that parse TOML have none. No board or appliance comes near them.
const (
	// MaxSize is the longest file that is read, in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how many names a key may have with the tables and lists that it
	// stands in.
	MaxDepth = 100
	// maxPath is the length of such names together, in bytes.
	maxPath = 4096
	// maxWork bounds what all keys of a file take while they are parsed, in bytes of
	// memory: each is kept with the names of what it stands in.
	maxWork = 128 << 20
	// perName is what a name of a key takes beside its letters.
	perName = 24
	// perSplit is what each name of a dotted key takes for each of those before it.
	perSplit = 16
)

// level is where a key stands: the names above it, and their length.
type level struct{ depth, length int }

// measure walks over a text as a parser does, without keeping anything.
type measure struct {
	data []byte
	at   int
	line int // from 1
	from int // where the line begins
	work int

	base   level   // what the key that is read, or its value, stands in
	stack  []level // that of the brackets around it
	table  level   // the table that was begun last
	names  int     // of the key that is read
	length int     // of those
	header bool    // the key is a table's
}

// checkLimits finds the place where a text goes beyond a limit. Up to its first mistake
// it sees what a parser does, which goes no further.
func checkLimits(file string, data []byte) *Problem {
	m := measure{data: data, line: 1}
	if what := m.run(); what != "" {
		return &Problem{File: file, Line: m.line, Col: max(1, m.at-m.from), Text: what}
	}
	return nil
}

func (m *measure) run() string {
	for m.at < len(m.data) {
		b := m.data[m.at]
		m.at++
		switch b {
		case '\n':
			m.newline()
		case '#':
			m.comment()
		case '"', '\'':
			m.text(b)
		case '[', '{':
			if len(m.stack) == 0 && b == '[' && m.names == 0 && m.length == 0 && m.base == m.table {
				m.header, m.base = true, level{}
				continue
			}
			if m.header {
				continue // the second of [[
			}
			m.stack = append(m.stack, m.base)
			m.base = level{m.base.depth + m.names + 1, m.base.length + m.length}
			m.names, m.length = 0, 0
		case ']', '}':
			m.close()
		case ',':
			m.charge()
			m.names, m.length = 0, 0
		case '=':
			m.charge()
			m.names++
		case '.':
			m.names++
			m.length++
		case ' ', '\t', '\r':
		default:
			m.length++
		}
		if what := m.over(); what != "" {
			return what
		}
	}
	return ""
}

// newline ends what stands on a line of its own.
func (m *measure) newline() {
	m.line, m.from = m.line+1, m.at
	if len(m.stack) > 0 {
		return
	}
	m.base, m.names, m.length, m.header = m.table, 0, 0, false
}

func (m *measure) close() {
	if m.header {
		m.table = level{m.names + 2, m.length} // its last name, and its place if it is one of several
		m.charge()
		return
	}
	m.charge()
	if n := len(m.stack); n > 0 {
		m.base, m.stack = m.stack[n-1], m.stack[:n-1]
	}
	m.names, m.length = 0, 0
}

// charge counts what a key, or an element of a list, takes.
func (m *measure) charge() {
	own := m.names + 1
	m.work += m.base.length + m.length + perName*(m.base.depth+own) + perSplit*own*own
}

func (m *measure) over() string {
	switch {
	case m.base.depth+m.names > MaxDepth:
		return fmt.Sprintf("the file nests more than %d names and brackets deep", MaxDepth)
	case m.base.length > maxPath:
		return fmt.Sprintf("the names of a key and its tables are longer than %d bytes", maxPath)
	case m.work > maxWork:
		return fmt.Sprintf("too many keys up to here for their depth: with the names of their tables they take more than %d MiB", maxWork>>20)
	}
	return ""
}

// comment goes on to the end of the line.
func (m *measure) comment() {
	for m.at < len(m.data) && m.data[m.at] != '\n' {
		m.at++
	}
}

// text goes over a text in quotes, one or three of them.
func (m *measure) text(quote byte) {
	long := m.at+1 < len(m.data) && m.data[m.at] == quote && m.data[m.at+1] == quote
	if long {
		m.at += 2
	}
	for m.at < len(m.data) {
		b := m.data[m.at]
		m.at++
		m.length++
		switch {
		case b == '\\' && quote == '"' && m.at < len(m.data) && m.data[m.at] != '\n':
			m.at++
		case b == '\n' && !long:
			m.at-- // a mistake: no parser goes on
			return
		case b == '\n':
			m.line, m.from = m.line+1, m.at
		case b == quote && !long:
			return
		case b == quote && m.at+1 < len(m.data) && m.data[m.at] == quote && m.data[m.at+1] == quote:
			m.at += 2
			for m.at < len(m.data) && m.data[m.at] == quote { // the text may end with two of its own
				m.at++
			}
			return
		}
	}
}
