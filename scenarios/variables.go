package scenarios

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// variable finds ${name}, and $${name}, which stands for the text ${name}.
var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// variables lists the names that a text uses.
func variables(text string) (names []string) {
	if !strings.Contains(text, "${") { // as most do not; a regular expression takes memory to find that out
		return nil
	}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[0], "$$") {
			names = append(names, m[1])
		}
	}
	return names
}

// expand puts values in the place of ${name}; quote is applied to each.
func expand(text string, values map[string]string, quote func(string) string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return quote(m[1:])
		}
		return quote(values[m[2:len(m)-1]])
	})
}

func plain(s string) string { return s }

// pattern compiles a regular expression in which ${name} stands for the
// captured text itself, whatever characters are in it.
func pattern(expr string, values map[string]string) (*regexp.Regexp, error) {
	return regexp.Compile(expand(expr, values, regexp.QuoteMeta))
}

// Limits of regular expressions, counted in what a match is made of: each takes time
// for each letter that is looked at, and a counted repetition counts as often.
const (
	maxElements    = 10_000
	maxAllElements = 1_000_000 // of a scenario
)

// elements counts those of an expression.
func elements(expr string) (int, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return countElements(re), nil
}

func countElements(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n += len(re.Rune) / 2 // of ranges
	case syntax.OpRepeat, syntax.OpConcat:
		n = 0
	}
	for _, sub := range re.Sub {
		n += countElements(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return n
}

// lines lets ^ and $ be the ends of each line of what a program has printed, as
// they are of a console's.
const lines = "(?m)"

// groups adds what the named groups of a match have caught.
func groups(re *regexp.Regexp, text string, into map[string]string) bool {
	m := re.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			into[name] = m[i]
		}
	}
	return true
}
