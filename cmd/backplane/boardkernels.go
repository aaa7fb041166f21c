package main

import (
	"fmt"
	"io"
	"slices"

	"backplane/boards"
	"backplane/guest/doctor"
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

// boardBuilder builds a kernel; place lets its problems be a board file's.
type boardBuilder struct {
	kernel.Builder
	place func(error) error
}

// boardBuilders are the builders of the kernels that the boards of a file want; SMP is
// for boards with several CPUs only.
func boardBuilders(file string, flavours []kernel.Flavour) (list []boardBuilder, err error) {
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
				list = append(list, boardBuilder{kernel.Builder{Flavour: f, Recipe: k.Recipe}, k.Place})
			}
		}
	}
	return list, nil
}

// ownKernel is a kernel of a board's own on one clock, and what is known of it.
type ownKernel struct {
	board string
	kernel.Builder
	facts  kernel.Facts
	losses []string
	place  func(error) error
}

// ownKernels are those of boards that say what theirs is made of, and of all others, too,
// if there is a source for them.
func ownKernels(a *boards.Appliance, virtual bool, source string) (list []ownKernel, err error) {
	kernels, err := a.Kernels()
	if err != nil {
		return nil, err
	}
	for _, k := range kernels {
		if !k.Own && source == "" {
			continue
		}
		if k.Recipe.Source == "" {
			k.Recipe.Source = source
		}
		own := ownKernel{board: k.Board, Builder: kernel.Builder{Flavour: kernel.For(virtual || k.CPUs == 1), Recipe: k.Recipe}, place: k.Place}
		if own.facts, err = own.Facts(); err != nil {
			return nil, k.Place(err)
		}
		own.losses = own.facts.Losses(kernel.Wants{CPUs: k.CPUs, Topology: k.Topology, Virtual: virtual})
		if slices.Contains(k.Recipe.Debug, "kasan") {
			own.losses = append(own.losses, "with KASAN only the size of the board's memory file limits its memory on the host (docs/security.md)")
		}
		list = append(list, own)
	}
	return list, nil
}

// haveVirtual says of which kernel there is no virtual time.
func haveVirtual(list []ownKernel) error {
	for _, k := range list {
		if err := k.facts.Virtual(); err != nil {
			return k.place(&kernel.SourceError{Source: k.Source, Err: err})
		}
	}
	return nil
}

// losses says what boards have to do without because of their own kernels.
func losses(list []ownKernel) (notes []string) {
	for _, k := range list {
		for _, loss := range k.losses {
			notes = append(notes, fmt.Sprintf("board %s: %s", k.board, loss))
		}
	}
	return notes
}

// kernelNotes says that, and which of the kernels are still to be built. The clock is
// chosen by the file, or may still be another than virtual time.
func kernelNotes(a *boards.Appliance, virtual, chosen bool) (notes []string, err error) {
	list, err := ownKernels(a, virtual, "")
	if err == nil && virtual && chosen {
		err = haveVirtual(list)
	}
	if err != nil {
		return nil, err
	}
	notes = losses(list)
	for _, k := range list {
		if _, ok, err := k.Lookup(); err != nil {
			return nil, err
		} else if !ok {
			notes = append(notes, fmt.Sprintf("board %s: its kernel has not been built, which takes minutes: run 'backplane kernel build FILE' now, or the first run builds it", k.board))
		}
	}
	return notes, nil
}

// kernelFindings are what doctor says of the kernels of a file's boards on both clocks.
func kernelFindings(file string) (list []doctor.Finding, err error) {
	a, err := loadBoards(file)
	if err != nil {
		return nil, err
	}
	for _, clock := range []string{"virtual", "real"} {
		kernels, err := ownKernels(a, clock == "virtual", "")
		if err != nil {
			return nil, err
		}
		for i := range kernels {
			k := &kernels[i]
			found, err := doctor.Kernel(fmt.Sprintf("%s, %s time", k.board, clock), &k.Builder, k.facts, k.losses)
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
		}
	}
	return list, nil
}

// printKernels builds, and prints where each kernel is, once.
func printKernels(out io.Writer, list []boardBuilder, build func(*kernel.Builder) (kernel.Image, error)) error {
	var said []string
	for i := range list {
		image, err := build(&list[i].Builder)
		if err != nil {
			return badStart(list[i].place(err))
		}
		if !slices.Contains(said, image.Path) {
			said = append(said, image.Path)
			fmt.Fprintln(out, image.Path)
		}
	}
	return nil
}
