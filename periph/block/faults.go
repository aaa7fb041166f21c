package block

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"backplane/periph"
)

// faults are what is wrong with a disk, and what it has done. Workers look at them.
type faults struct {
	lock     sync.Mutex
	lie      bool
	readOnly bool
	full     bool
	slow     time.Duration
	bad      []span
	badText  string

	reads, writes, flushed int64
}

// span are sectors, the last one too.
type span struct{ first, last int64 }

// The properties of a disk.
const (
	propertyLie       = "lie_about_flush"
	propertyReadOnly  = "read_only"
	propertyFull      = "full"
	propertyDelay     = "delay"
	propertyBad       = "bad_sectors"
	propertyReads     = "reads"
	propertyWrites    = "writes"
	propertyFlushes   = "flushes"
	propertyUnflushed = "unflushed"
)

const maxDelay = 60_000 // ms

var properties = []periph.Spec{
	{Name: propertyLie, Kind: periph.Switch, Doc: "whether the disk says that it has flushed its cache and has not"},
	{Name: propertyReadOnly, Kind: periph.Switch, Doc: "whether writes fail, as those to a worn card do"},
	{Name: propertyFull, Kind: periph.Switch, Doc: "whether writes to blocks fail that were not written in this run"},
	{Name: propertyDelay, Kind: periph.Number, Unit: "ms", Max: maxDelay, Doc: "how much longer each request takes"},
	{Name: propertyBad, Kind: periph.Text, Valid: validBad, Doc: "sectors that cannot be read or written: \"2048-4095 9000\""},
	{Name: propertyReads, Kind: periph.Whole, ReadOnly: true, Doc: "read requests so far"},
	{Name: propertyWrites, Kind: periph.Whole, ReadOnly: true, Doc: "requests to write, discard or zero so far"},
	{Name: propertyFlushes, Kind: periph.Whole, ReadOnly: true, Doc: "flushes so far"},
	{Name: propertyUnflushed, Kind: periph.Whole, Unit: "bytes", ReadOnly: true, Doc: "how much a power cut would take"},
}

// Get reads a property.
func (d *Disk) Get(name string) periph.Value {
	if name == propertyUnflushed {
		if d.contents == nil { // it lies on the bench
			return periph.Num(0)
		}
		return periph.Num(float64(d.contents.Unflushed()))
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	switch name {
	case propertyLie:
		return periph.On(d.lie)
	case propertyReadOnly:
		return periph.On(d.readOnly)
	case propertyFull:
		return periph.On(d.full)
	case propertyDelay:
		return periph.Num(float64(d.slow) / float64(time.Millisecond))
	case propertyBad:
		return periph.Str(d.badText)
	case propertyReads:
		return periph.Num(float64(d.reads))
	case propertyWrites:
		return periph.Num(float64(d.writes))
	}
	return periph.Num(float64(d.flushed))
}

// Set changes one.
func (d *Disk) Set(name string, v periph.Value) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	switch name {
	case propertyLie:
		d.lie = v.Bool()
	case propertyReadOnly:
		if d.o.ReadOnly && !v.Bool() {
			return fmt.Errorf("the board file says that the disk is read_only: its guest writes nothing to it")
		}
		d.readOnly = v.Bool()
	case propertyFull:
		d.full = v.Bool()
	case propertyDelay:
		d.slow = time.Duration(v.Float() * float64(time.Millisecond))
	case propertyBad:
		bad, err := parseBad(v.Text())
		if err != nil {
			return err
		}
		if sectors := d.size / sectorSize; d.contents != nil { // else it lies on the bench
			for _, s := range bad {
				if s.first >= sectors {
					return fmt.Errorf("the disk has no sector %d: it has %d, from 0 on", s.first, sectors)
				}
			}
		}
		d.bad, d.badText = bad, v.Text()
	}
	return nil
}

// parseBad reads sectors: "2048-4095 9000".
func parseBad(text string) (list []span, err error) {
	for _, field := range strings.Fields(text) {
		first, last, two := strings.Cut(field, "-")
		if !two {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 62)
		to, e := strconv.ParseUint(last, 10, 62)
		if err != nil || e != nil || from > to {
			return nil, fmt.Errorf("%q are no sectors: write numbers, and FIRST-LAST, such as \"2048-4095 9000\"", field)
		}
		list = append(list, span{int64(from), int64(to)})
	}
	return list, nil
}

func validBad(v periph.Value) error {
	_, err := parseBad(v.Text())
	return err
}

func (f *faults) lies() bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.lie
}

// delay is how much longer requests take than they do by themselves.
func (f *faults) delay() time.Duration {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.slow
}

// count counts a request that is done.
func (f *faults) count(r *request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case r.kind == typeIn:
		f.reads++
	case r.writes():
		f.writes++
	case r.kind == typeFlush:
		f.flushed++
	}
}

// refuses says why a request fails, if it does by a fault of the disk.
func (d *Disk) refuses(r *request) (why string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	switch {
	case r.writes() && d.readOnly:
		return "read-only"
	case len(d.bad) > 0 && r.eachRange(d.isBad):
		return "bad sector"
	case r.kind == typeOut && d.full && !d.contents.Holds(r.sector*sectorSize, r.length):
		return "full"
	}
	return ""
}

// isBad tells whether one of n sectors is bad.
func (d *Disk) isBad(sector, n int64) bool {
	for _, b := range d.bad {
		if sector <= b.last && b.first < sector+n {
			return true
		}
	}
	return false
}

// op is what events call a request.
func (r *request) op() string {
	switch r.kind {
	case typeIn:
		return opRead
	case typeOut:
		return opWrite
	case typeFlush:
		return opFlush
	case typeDiscard:
		return opDiscard
	}
	return opZero
}
