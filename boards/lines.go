package boards

import (
	"fmt"
	"strconv"
	"strings"

	"backplane/boards/tomlfile"
)

// lineNames finds a board's lines by their names: it may have very many.
type lineNames struct {
	controllers map[string]int // by name, the last of those that share one
	names       []string       // of controllers
	lines       []namedLines   // of each controller
}

type namedLines struct {
	at    map[string][]int
	names []string
}

// nameLines looks at all lines of a board that has been read.
func nameLines(gpio []GPIO) *lineNames {
	n := &lineNames{controllers: make(map[string]int), lines: make([]namedLines, len(gpio))}
	for i := range gpio {
		n.controllers[gpio[i].Name] = i
		n.names = append(n.names, gpio[i].Name)
		l := namedLines{at: make(map[string][]int)}
		for k, name := range gpio[i].Lines {
			if name != "" {
				l.at[name] = append(l.at[name], k)
				l.names = append(l.names, name)
			}
		}
		n.lines[i] = l
	}
	return n
}

// Line finds a line: "gpio0.alarm", "gpio0.3", or without the controller where on >= 0.
func (b *Board) Line(text string, on int) (Line, error) {
	name := text
	if controller, rest, ok := strings.Cut(text, "."); ok {
		if on, ok = b.lines.controllers[controller]; !ok {
			return Line{}, fmt.Errorf("the board has no GPIO controller %q%s", controller, tomlfile.Suggest(controller, b.lines.names))
		}
		name = rest
	}
	if on < 0 {
		return Line{}, fmt.Errorf("%q is no line: write controller.line, such as \"gpio0.3\"", text)
	}
	g, named := &b.GPIO[on], &b.lines.lines[on]
	switch same := named.at[name]; len(same) {
	case 0:
	case 1:
		return Line{on, same[0]}, nil
	default:
		return Line{}, fmt.Errorf("%d lines of %s are named %q: say the number of the one that you mean, such as %s.%d", len(same), g.Name, name, g.Name, same[0])
	}
	if i, err := strconv.Atoi(name); err == nil {
		if i < 0 || i >= len(g.Lines) {
			return Line{}, fmt.Errorf("%s has no line %d: its lines are 0 to %d", g.Name, i, len(g.Lines)-1)
		}
		return Line{on, i}, nil
	}
	return Line{}, fmt.Errorf("%s has no line %q%s", g.Name, name, tomlfile.Suggest(name, named.names))
}
