package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/hostfile"
)

// ErrRecord says that the inputs of a record cannot be understood.
var ErrRecord = errors.New("the file is not a record of inputs")

// Limits of inputs: what clients and steps give is far shorter, and no session is longer.
const (
	maxInput = 16 << 20 // bytes of one
	maxTime  = simbus.Time(10 * 366 * 24 * time.Hour)
)

// inputs reads those of a record one by one, and checks them.
type inputs struct {
	in   *bufio.Reader
	n    int         // so many were read
	last simbus.Time // of those
	end  simbus.Time // none is later
}

func newInputs(r io.Reader, end simbus.Time) *inputs {
	return &inputs{in: bufio.NewReaderSize(r, 64<<10), end: min(end, maxTime)}
}

// next is the next input; io.EOF stands for the end, or for one that has none.
func (i *inputs) next() (*record.Input, error) {
	line, err := i.line()
	if err != nil {
		return nil, err
	}
	in := new(record.Input)
	if err = json.Unmarshal(line, in); err == nil {
		err = appliance.CheckInput(in)
	}
	switch {
	case err != nil:
	case in.Time < i.last:
		err = fmt.Errorf("its time %s is before that of the previous line, %s", in.Time, i.last)
	case in.Time > i.end:
		err = fmt.Errorf("its time %s is after the session's end at %s", in.Time, i.end)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s, line %d: %w", ErrRecord, record.InputsFile, i.n+1, err)
	}
	i.n, i.last = i.n+1, in.Time
	return in, nil
}

func (i *inputs) line() (line []byte, err error) {
	for {
		part, err := i.in.ReadSlice('\n')
		if line = append(line, part...); err == nil {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(line) > maxInput {
			return nil, fmt.Errorf("%w: %s, line %d is longer than %d bytes", ErrRecord, record.InputsFile, i.n+1, maxInput)
		}
	}
}

// open opens the inputs of a record. None is later than its end, if that is known.
func (s *Session) open() (*inputs, io.Closer, error) {
	f, err := hostfile.Open(filepath.Join(s.dir, record.InputsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s cannot be replayed: it has no %s", s.dir, record.InputsFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s cannot be replayed: %w", s.dir, err)
	}
	limit := maxTime
	if end, err := record.LoadEnd(s.dir); err == nil {
		limit = end.Time
	}
	return newInputs(f, limit), f, nil
}

// check reads all inputs, before anything boots.
func (s *Session) check() error {
	in, file, err := s.open()
	if err != nil {
		return err
	}
	defer file.Close()
	for err == nil {
		_, err = in.next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}
