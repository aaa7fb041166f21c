// Package tomlfile reads TOML files into Go values and finds every mistake in
// one go, each with its line and column: keys that nobody knows, values of the
// wrong type, and what the caller finds wrong with the values themselves.
//
// The TOML libraries stop at the first value of a wrong type, and those that
// tell a column tell it for that one only; so they do the parsing here, and the
// step from the parsed tree to Go values is this package's own.
package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strings"

	"backplane/simbus/hostfile"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one mistake in a file.
type Problem struct {
	File      string
	Line, Col int // from 1; 0 where the mistake has no place in the text
	Text      string
}

// String is the problem on one line, as compilers have it.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
}

// Problems is all that is wrong, as an error: a line for each of the first, and how
// many more there are.
type Problems []Problem

// MaxShown is how many mistakes are shown.
const MaxShown = 20

func (p Problems) Error() string {
	shown := p[:min(len(p), MaxShown)]
	lines := make([]string, len(shown), len(shown)+1)
	for i, one := range shown {
		lines[i] = one.String()
	}
	switch more := len(p) - len(shown); {
	case more == 1:
		lines = append(lines, "and 1 more mistake")
	case more > 1:
		lines = append(lines, fmt.Sprintf("and %d more mistakes", more))
	}
	return strings.Join(lines, "\n")
}

// Sort orders problems by file and place.
func (p Problems) Sort() {
	sort.SliceStable(p, func(i, j int) bool {
		a, b := p[i], p[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
}

// Doc is a file that was read: it knows where each key stands, and collects
// what is wrong.
type Doc struct {
	File     string
	Folder   string // to which names in the file are relative; that of File if empty
	Size     int    // in bytes
	Problems Problems
	// Parsed tells that the file is TOML, whatever may be wrong with what it says.
	Parsed  bool
	places  map[string]place
	refused map[string]bool   // paths of values that were not taken
	orphans map[string]string // headers, by the tables above them that have none
}

type place struct{ line, col int }

// Read reads a file into the struct that into points to. Problems are in the
// Doc, which is never nil; so is a file that cannot be read.
func Read(file string, into any) *Doc { return ReadIn(nil, file, into) }

// ReadIn is Read for a file that has to lie in a folder.
func ReadIn(folder *hostfile.Folder, file string, into any) *Doc {
	data, err := folder.Read(file, MaxSize)
	if err != nil {
		return &Doc{File: file, Problems: Problems{{File: file, Text: fileError(err)}}}
	}
	return Parse(file, data, into)
}

// fileError says why a file cannot be read, without its name.
func fileError(err error) string {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return err.Error()
	}
	return strings.Replace(path.Err.Error(), "must be a file", "must be a TOML file", 1)
}

// Parse is Read for a file that is in memory.
func Parse(file string, data []byte, into any) *Doc {
	d := &Doc{File: file, Size: len(data), places: make(map[string]place), refused: make(map[string]bool), orphans: make(map[string]string)}
	if len(data) > MaxSize {
		d.Problems = Problems{{File: file, Text: hostfile.TooLongError(MaxSize).Error()}}
		return d
	}
	if over := checkLimits(file, data); over != nil {
		d.Problems = Problems{*over}
		return d
	}
	tree, err := decodeTree(data)
	if err != nil {
		d.syntax(data, err)
		return d
	}
	d.Parsed = true
	d.index(data)
	d.decode(tree, into)
	d.Problems.Sort()
	return d
}

// decodeTree parses a text that is within the limits.
func decodeTree(data []byte) (tree map[string]any, err error) {
	_, err = toml.Decode(string(data), &tree)
	return tree, err
}

// Keys tells which top-level keys a file has, without judging anything: what
// kind of file it is can be seen from them.
func Keys(file string) map[string]bool {
	keys := make(map[string]bool)
	data, err := hostfile.Read(file, MaxSize)
	if err != nil || checkLimits(file, data) != nil {
		return keys
	}
	tree, _ := decodeTree(data)
	for k := range tree {
		keys[k] = true
	}
	return keys
}

// syntax notes why a text is no TOML. The parser's own lines and columns are of another
// place at the ends of lines and of the text.
func (d *Doc) syntax(data []byte, err error) {
	p := Problem{File: d.File, Text: err.Error()}
	var perr toml.ParseError
	if errors.As(err, &perr) {
		before := data[:min(max(0, perr.Position.Start), len(data))]
		p.Line, p.Col = 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
		if p.Text = perr.Message; p.Text == "" {
			p.Text = strings.TrimPrefix(perr.Error(), "toml: ")
		}
	}
	p.Text = short(p.Text + syntaxHint(p.Text))
	d.Problems = append(d.Problems, p)
}

// bareWord is the parser's message about a value that begins with a letter.
var bareWord = regexp.MustCompile(`^expected value but found "[A-Za-z]`)

// syntaxHint says what would be right, of mistakes that the parser's words do not help with.
func syntaxHint(text string) string {
	switch {
	case strings.HasPrefix(text, "invalid escape"):
		return `: text in single quotes takes backslashes as they are, as in match = '\d+'; in double quotes each is written twice`
	case bareWord.MatchString(text):
		return `: text stands in quotes, as in name = "sensor"`
	}
	return ""
}

// A long message is shown by its beginning and its end, of so many bytes: what is
// wrong, and what would be right.
const (
	shownFirst = 500
	shownLast  = 300
)

// short leaves out the middle of a long message, such as a long text that is quoted.
func short(text string) string { return Shorten(text, shownFirst, shownLast) }

// Shorten leaves out the middle of a text that is longer than so many bytes of its
// beginning and its end together, and says how many bytes are missing.
func Shorten(text string, first, last int) string {
	left := len(text) - first - last
	if left <= 0 {
		return text
	}
	return fmt.Sprintf("%s [... %d bytes ...] %s", strings.ToValidUTF8(text[:first], ""), left, strings.ToValidUTF8(text[len(text)-last:], ""))
}

// Add notes a mistake at a key. The path is as in `i2c[0].chip[2].address`; of
// a path that the file does not have, the nearest part above it is where the
// mistake is shown. Of a value that was not taken there is nothing more to say.
func (d *Doc) Add(path, format string, args ...any) {
	if d.refused[path] {
		return
	}
	d.Problems = append(d.Problems, d.Problem(path, format, args...))
}

// Problem is a mistake at a key, as Add would note it.
func (d *Doc) Problem(path, format string, args ...any) Problem {
	p := Problem{File: d.File, Text: short(fmt.Sprintf(format, args...))}
	for at := path; ; at = parent(at) {
		if pl, ok := d.places[at]; ok {
			p.Line, p.Col = pl.line, pl.col
			break
		}
		if at == "" {
			break
		}
	}
	return p
}

// Has tells whether the file has that key.
func (d *Doc) Has(path string) bool { _, ok := d.places[path]; return ok }

// Where is the place of a key for messages: "file:line".
func (d *Doc) Where(path string) string {
	for ; path != ""; path = parent(path) {
		if pl, ok := d.places[path]; ok {
			return fmt.Sprintf("line %d", pl.line)
		}
	}
	return d.File
}

func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return ""
}

// index notes where each key stands.
func (d *Doc) index(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	ix := indexer{d: d, counts: make(map[string]int), headed: make(map[string]bool), starts: []int{0}}
	for i, b := range data {
		if b == '\n' {
			ix.starts = append(ix.starts, i+1)
		}
	}
	var table string
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			ix.header(e, "[%s]")
			table = ix.key("", e.Key(), false)
		case unstable.ArrayTable:
			ix.header(e, "[[%s]]")
			table = ix.key("", e.Key(), true)
		case unstable.KeyValue:
			ix.value(ix.key(table, e.Key(), false), e.Value())
		}
	}
}

type indexer struct {
	d      *Doc
	starts []int           // of the lines
	counts map[string]int  // elements so far of each array of tables
	headed map[string]bool // tables that have had a header
}

// header notes that of a table whose table above has none yet.
func (ix *indexer) header(e *unstable.Node, form string) {
	var above, whole string
	for it := e.Key(); it.Next(); {
		above, whole = whole, Join(whole, string(it.Node().Data))
	}
	ix.headed[whole] = true
	if _, known := ix.d.orphans[above]; above != "" && !ix.headed[above] && !known {
		ix.d.orphans[above] = fmt.Sprintf(form, whole)
	}
}

// key notes the parts of a dotted key and returns its path. Parts of the path
// that are arrays of tables mean their last element.
func (ix *indexer) key(path string, it unstable.Iterator, array bool) string {
	for it.Next() {
		n := it.Node()
		if path != "" {
			path += "."
		}
		path += string(n.Data)
		at := ix.place(n)
		ix.note(path, at)
		if array && it.IsLast() {
			ix.counts[path]++
		}
		if c := ix.counts[path]; c > 0 {
			path = fmt.Sprintf("%s[%d]", path, c-1)
			ix.note(path, at)
		}
	}
	return path
}

func (ix *indexer) note(path string, at place) {
	if _, ok := ix.d.places[path]; !ok {
		ix.d.places[path] = at
	}
}

func (ix *indexer) place(n *unstable.Node) place {
	at := int(n.Raw.Offset)
	line := sort.SearchInts(ix.starts, at+1)
	return place{line, at - ix.starts[line-1] + 1}
}

// value notes the keys inside inline tables and arrays.
func (ix *indexer) value(path string, n *unstable.Node) {
	switch n.Kind {
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if c := it.Node(); c.Kind == unstable.KeyValue {
				ix.value(ix.key(path, c.Key(), false), c.Value())
			}
		}
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); {
			c := it.Node()
			if c.Kind == unstable.Comment {
				continue
			}
			element := fmt.Sprintf("%s[%d]", path, i)
			if c.Raw.Length > 0 {
				ix.note(element, ix.place(c))
			}
			ix.value(element, c)
			i++
		}
	}
}
