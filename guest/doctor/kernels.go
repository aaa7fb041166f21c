package doctor

import (
	"fmt"
	"slices"
	"strings"

	"backplane/guest/kernel"
)

// Kernel says whether a board's own kernel is built, and what the board does without
// because of it: losses, and options that Backplane's own kernel has.
func Kernel(board string, b *kernel.Builder, facts kernel.Facts, losses []string) ([]Finding, error) {
	image, built, err := b.Lookup()
	if err != nil {
		return nil, err
	}
	list := []Finding{{Name: "kernel of " + board, OK: built, Extra: true, Detail: fmt.Sprintf("Linux %s, built", facts.Version)}}
	if built {
		missing, err := b.Missing(image)
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			losses = append(losses, "has no "+strings.Join(missing, ", "))
		}
	} else {
		list[0].Detail = fmt.Sprintf("Linux %s, not built", facts.Version)
		list[0].Fix = "backplane kernel build FILE (the first run that needs it builds it as well)"
	}
	for _, loss := range losses {
		list = append(list, Finding{Name: "  without", Extra: true, Detail: loss, Fix: "a kernel of series " + kernel.Series + " has all; docs/kernel.md says what others do"})
	}
	return list, nil
}
