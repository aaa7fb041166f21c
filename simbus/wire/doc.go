// Package wire is the copper of one board: a [Wire] is an electrical node, and a
// [Pin] is what one part does to it. Pins drive the wire strongly, pull it, or let
// it float; the wire's [Level] follows at once, and pins that watch it are told.
// It knows nothing of time: the owner of the board's domain drives its wires.
package wire
