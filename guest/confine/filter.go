package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// filter is the filter of the host's system calls that a program has, by the name that package
// policy gives it.
func filter(p *Program) string {
	switch {
	case p.Temp != 0 && p.Ptrace:
		return "makingAndTracing"
	case p.Temp != 0:
		return "making"
	case p.Ptrace:
		return "tracing"
	}
	return "plain"
}

// instruction is one of a filter, as [unix.SockFilter].
type instruction struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// instructions are those of the filter of that name.
func instructions(filter string) (list []unix.SockFilter, err error) {
	var all []instruction
	switch filter {
	case "plain":
		all = plain[:]
	case "tracing":
		all = tracing[:]
	case "making":
		all = making[:]
	case "makingAndTracing":
		all = makingAndTracing[:]
	default:
		return nil, fmt.Errorf("there is no filter %q", filter)
	}
	for _, i := range all {
		list = append(list, unix.SockFilter(i))
	}
	return list, nil
}
