package boards

import "backplane/periph"

// Quantities, as files write them.
type (
	Size     = periph.Size
	Rate     = periph.Rate
	Duration = periph.Duration
)
