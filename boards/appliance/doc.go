// Package appliance runs what package boards has described: it assembles each board's
// kernel, controllers and chips, joins boards by segments, links and wires, moves
// time, and takes what the outside does.
package appliance
