// Package counter reads the time stamp counter of the CPU, which programs of boards in virtual time
// must not see as the host has it.
package counter

// Read executes RDTSC.
func Read() uint64
