package verify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/hostfile"

	"github.com/gopacket/gopacket/pcapgo"
)

// item is one of those that a stream is made of.
type item struct {
	where string
	raw   []byte // what is compared
	cut   bool   // it has no end
	time  simbus.Time
	board string
	text  func(other []byte) string // for people; other is what it is not equal to, nil if it is
}

// items hands out a stream's items one by one, and io.EOF at the end.
type items func() (*item, error)

// before are the items before a time, up to one that was cut short.
func before(next items, until simbus.Time) items {
	next = whole(next)
	return func() (*item, error) {
		it, err := next()
		if it == nil || it.time >= until {
			return nil, err
		}
		return it, err
	}
}

// whole are the items up to one that was cut short.
func whole(next items) items {
	return func() (*item, error) {
		it, err := next()
		if it == nil || it.cut {
			return nil, err
		}
		return it, err
	}
}

// differ finds the first item that is not the same; after the end of the first
// stream there is none, if its beginning is all that there is.
func differ(a, b items, beginning bool) (*Difference, error) {
	var common []string
	for {
		x, errX := a()
		y, errY := b()
		for _, err := range []error{errX, errY} {
			if err != nil && err != io.EOF {
				return nil, err
			}
		}
		switch {
		case x == nil && (y == nil || beginning):
			return nil, nil
		case x != nil && y != nil && bytes.Equal(x.raw, y.raw) && x.time == y.time:
			if common = append(common, x.text(nil)); len(common) > contextCommon {
				common = append(common[:0], common[1:]...)
			}
			continue
		}
		one := x
		if x == nil || y != nil && y.time < x.time {
			one = y
		}
		d := &Difference{Where: one.where, Time: one.time, Board: one.board, Common: common}
		d.First, d.Second = after(x, y, a), after(y, x, b)
		return d, nil
	}
}

// after is how a stream goes on, from an item that the other does not have.
func after(it, other *item, more items) (list []string) {
	var not []byte
	if other != nil {
		not = other.raw
	}
	for ; it != nil && len(list) < contextAfter; it, _ = more() { // what cannot be read is not shown
		list = append(list, it.text(not))
		not = nil
	}
	return list
}

// widest is how much of a long line is shown, in bytes.
const widest = 400

// excerpt is the part of a line in which it differs from another.
func excerpt(line, other []byte) string {
	if len(line) <= widest {
		return string(line)
	}
	at := 0
	for at < min(len(line), len(other)) && line[at] == other[at] {
		at++
	}
	if other == nil {
		at = 0
	}
	from := min(max(0, at-widest/2), len(line)-widest)
	to := from + widest
	var b strings.Builder
	if from > 0 {
		fmt.Fprintf(&b, "(%d bytes) ...", from)
	}
	b.Write(line[from:to])
	if to < len(line) {
		fmt.Fprintf(&b, "... (%d bytes)", len(line)-to)
	}
	return b.String()
}

// printable escapes what would upset a terminal.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// longest is how much of one line is looked at together, in bytes: what is not
// text may have no ends of lines.
const longest = 64 << 10

// lines are the items of a text.
func lines(r io.Reader) items {
	in := bufio.NewReaderSize(r, longest)
	n := 0
	return func() (*item, error) {
		line, err := in.ReadSlice('\n')
		if len(line) == 0 {
			return nil, err
		}
		n++
		raw := bytes.Clone(line)
		return &item{where: fmt.Sprintf("line %d", n), raw: raw, time: simbus.Never, cut: err == io.EOF,
			text: func(other []byte) string {
				return printable(excerpt(bytes.TrimRight(raw, "\r\n"), other))
			}}, nil
	}
}

// events are the items of a stream of events.
func events(r io.Reader) items {
	next := lines(r)
	n := 0
	return func() (*item, error) {
		it, err := next()
		if it == nil {
			return nil, err
		}
		n++
		it.where = fmt.Sprintf("event %d", n)
		var e struct {
			T     int64  `json:"t"`
			Board string `json:"board"`
			Kind  string `json:"kind"`
		}
		if json.Unmarshal(it.raw, &e) == nil { // a line that was cut short has no time
			it.time, it.board = simbus.Time(e.T), e.Board
			it.cut = it.cut || e.Kind == record.KindRecord // which is about the record, and not of the run
		}
		return it, nil
	}
}

// LastTime is the time of the last whole event in a file of them, 0 if there is none.
func LastTime(file string) (last simbus.Time, err error) {
	f, err := hostfile.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	next := whole(events(f))
	for {
		it, err := next()
		if err != nil && err != io.EOF {
			return 0, err
		}
		if it == nil {
			return last, nil
		}
		last = max(last, it.time)
	}
}

// packets are the items of a capture; start is the wall-clock time at the
// appliance's time 0.
func packets(r io.Reader, start time.Time) items {
	ng, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	n := 0
	return func() (*item, error) {
		if err != nil {
			return nil, ended(err)
		}
		data, info, options, err := ng.ReadPacketDataWithOptions()
		if err != nil {
			return nil, ended(err)
		}
		n++
		raw := append(data, strings.Join(options.Comments, ", ")...)
		it := &item{where: fmt.Sprintf("packet %d", n), raw: raw, time: simbus.Time(info.Timestamp.Sub(start))}
		it.board, _, _ = strings.Cut(strings.TrimPrefix(string(raw[len(data):]), "from "), ".")
		it.text = func(other []byte) string {
			return fmt.Sprintf("%s %d bytes %s: %s", it.time, info.Length, raw[len(data):], hexAround(raw[:len(data)], other))
		}
		return it, nil
	}
}

// ended is the error of a capture's end; that of a run that was interrupted is cut short.
func ended(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// hexAround shows a packet's bytes around the first that the other does not
// have, or its first ones.
func hexAround(p, other []byte) string {
	const before, shown = 8, 32
	at := 0
	for other != nil && at < min(len(p), len(other)) && p[at] == other[at] {
		at++
	}
	from := max(0, min(at-before, len(p)-shown))
	to := min(len(p), from+shown)
	return fmt.Sprintf("bytes %d to %d: % x", from, to, p[from:to])
}
