package main

import (
	"slices"
	"sync"
)

// undo is what a client must undo, also when a signal ends it.
var undo struct {
	sync.Mutex
	list []func()
}

// undoing notes something to be undone, once: by the function that it returns, or
// by a signal.
func undoing(f func()) func() {
	once := sync.OnceFunc(f)
	undo.Lock()
	undo.list = append(undo.list, once)
	undo.Unlock()
	return once
}

// undoAll undoes what has not been undone, the latest first.
func undoAll() {
	undo.Lock()
	defer undo.Unlock()
	for _, f := range slices.Backward(undo.list) {
		f()
	}
}
