//go:build amd64

// Command chance runs inside a board and executes the instructions by which a
// program can learn of the host without asking the kernel. Each argument names
// one; it prints what that gave.
package main

import (
	"fmt"
	"os"
)

func rdtsc() uint64
func rdtscp() uint64
func rdrand() uint64
func rdseed() uint64
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

func main() {
	for _, name := range os.Args[1:] {
		switch name {
		case "rdtsc":
			fmt.Println("rdtsc", rdtsc())
		case "rdtscp":
			fmt.Println("rdtscp", rdtscp())
		case "rdrand":
			fmt.Println("rdrand", rdrand())
		case "rdseed":
			fmt.Println("rdseed", rdseed())
		case "cpuid":
			_, _, ecx, _ := cpuid(1, 0)
			_, ebx, _, _ := cpuid(7, 0)
			fmt.Println("cpuid", ecx>>30&1, ebx>>18&1) // RDRAND, RDSEED
		case "cpu":
			_, ebx, _, _ := cpuid(1, 0)
			fmt.Println("cpu", ebx>>24) // the CPU's own number
		default:
			fmt.Fprintf(os.Stderr, "chance: there is no %q\n", name)
			os.Exit(2)
		}
	}
}
