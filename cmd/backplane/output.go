package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// output is standard output. It remembers that something could not be written, for
// those who print a report and go on.
type output struct {
	f *os.File

	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	if err != nil {
		o.mu.Lock()
		if o.err == nil {
			o.err = err
		}
		o.mu.Unlock()
	}
	return n, err
}

// failed says that not all could be written, nil if it was.
func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return fmt.Errorf("the output could not be written: %w", o.err)
}

// file is the file that is written to, nil if it is none.
func file(w io.Writer) *os.File {
	switch w := w.(type) {
	case *output:
		return w.f
	case *os.File:
		return w
	}
	return nil
}
