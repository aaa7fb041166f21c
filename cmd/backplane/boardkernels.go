package main

import (
	"fmt"
	"io"
	"slices"

	"backplane/boards"
	"backplane/guest/kernel"
	"backplane/scenarios"
)

// loadBoards reads the boards of a board, appliance or scenario file.
func loadBoards(file string) (*boards.Appliance, error) {
	if scenarios.IsScenario(file) {
		_, a, err := loadScenario(nil, file)
		return a, err
	}
	return loadAppliance(nil, file)
}

// boardBuilders are the builders of the kernels that the boards of a file want; SMP is
// for boards with several CPUs only.
func boardBuilders(file string, flavours []kernel.Flavour) (list []kernel.Builder, err error) {
	a, err := loadBoards(file)
	if err != nil {
		return nil, err
	}
	kernels, err := a.Kernels()
	if err != nil {
		return nil, err
	}
	for _, k := range kernels {
		for _, f := range flavours {
			if f == kernel.Virtual || k.CPUs > 1 {
				list = append(list, kernel.Builder{Flavour: f, Recipe: k.Recipe})
			}
		}
	}
	return list, nil
}

// kernelNotes says what boards whose kernels are their own have to do without, and which
// of those kernels are still to be built.
func kernelNotes(a *boards.Appliance, virtual bool) (notes []string, err error) {
	kernels, err := a.Kernels()
	if err != nil {
		return nil, err
	}
	for _, k := range kernels {
		if !k.Own {
			continue
		}
		b := kernel.Builder{Flavour: kernel.For(virtual || k.CPUs == 1), Recipe: k.Recipe}
		facts, err := b.Facts()
		if err != nil {
			return nil, err
		}
		for _, loss := range facts.Losses(k.CPUs) {
			notes = append(notes, fmt.Sprintf("board %s: %s", k.Board, loss))
		}
		if _, ok, err := b.Lookup(); err != nil {
			return nil, err
		} else if !ok {
			notes = append(notes, fmt.Sprintf("board %s: its kernel is to be built, which takes minutes: 'backplane kernel build FILE' does it now, a run if it is not there", k.Board))
		}
	}
	return notes, nil
}

// printKernels builds, and prints where each kernel is, once.
func printKernels(out io.Writer, list []kernel.Builder, build func(*kernel.Builder) (string, error)) error {
	var said []string
	for i := range list {
		path, err := build(&list[i])
		if err != nil {
			return badStart(err)
		}
		if !slices.Contains(said, path) {
			said = append(said, path)
			fmt.Fprintln(out, path)
		}
	}
	return nil
}
