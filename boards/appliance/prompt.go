package appliance

import (
	"fmt"
	"time"

	"backplane/simbus"
)

// PromptDelay is how long nothing more must come of a line that has not ended
// before it is taken for a prompt, rather than for half of what a program or a slow
// line is about to say. On a slow UART it is the time of two pieces if that is longer.
const PromptDelay = 100 * time.Millisecond

// Pending is the line of a console or UART that has not ended, such as a prompt.
type Pending struct {
	Text  string      // empty if there is none
	Since simbus.Time // when its last byte came
	Quiet simbus.Time // when PromptDelay is over, if nothing more comes
	Line  int         // how many lines have ended before it
}

// Pending is the line of a console ("board") or UART ("board.uart1") that has not ended.
func (r *Running) Pending(path string) (p Pending, err error) {
	m, t, err := r.terminal(path)
	if err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	m.domain.Look(func() {
		p = Pending{Text: t.lines.Pending(), Since: t.since, Line: t.ended}
		p.Quiet = p.Since.Add(t.promptDelay())
	})
	return p, nil
}

func (t *terminal) promptDelay() time.Duration {
	if line, ok := t.Terminal.(interface{ PieceTime() time.Duration }); ok {
		return max(PromptDelay, 2*line.PieceTime())
	}
	return PromptDelay
}
