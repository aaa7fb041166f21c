package spitest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"backplane/periph/spi"
)

// Transfer is one part of a selection: Tx is nil if it only reads, Rx if it only writes.
type Transfer struct{ Tx, Rx []byte }

// len is how many bytes go over the bus.
func (t Transfer) len() int { return max(len(t.Tx), len(t.Rx)) }

// Parse reads a selection such as "W 9f R ef 40 17".
func Parse(text string) ([]Transfer, error) {
	var selection []Transfer
	var into *[]byte
	wrong := func(word string) ([]Transfer, error) {
		return nil, fmt.Errorf("parse selection %q: %q is out of place: want W, R or X with bytes of two hex digits, and = between both halves of an X, which are of one length", text, word)
	}
	for _, word := range append(strings.Fields(text), "") {
		n := len(selection)
		if into != nil && (word == "" || word == "W" || word == "R" || word == "X") {
			if last := selection[n-1]; last.Tx != nil && last.Rx != nil && len(last.Tx) != len(last.Rx) {
				return wrong(word)
			}
		}
		switch word {
		case "":
		case "W", "X":
			selection = append(selection, Transfer{Tx: []byte{}})
			into = &selection[n].Tx
			if word == "X" {
				selection[n].Rx = []byte{}
			}
		case "R":
			selection = append(selection, Transfer{Rx: []byte{}})
			into = &selection[n].Rx
		case "=":
			if n == 0 || selection[n-1].Tx == nil || selection[n-1].Rx == nil || into == &selection[n-1].Rx {
				return wrong(word)
			}
			into = &selection[n-1].Rx
		default:
			b, err := hex.DecodeString(word)
			if err != nil || len(b) != 1 || into == nil {
				return wrong(word)
			}
			*into = append(*into, b[0])
		}
	}
	return selection, nil
}

// String writes a selection as Parse reads it.
func String(selection []Transfer) string {
	parts := make([]string, len(selection))
	for i, t := range selection {
		parts[i] = spi.Format(t.Tx, t.Rx)
	}
	return strings.Join(parts, " ")
}

// Run plays selections against a target as a controller would. The bytes that are read
// in them are what is expected. The error is about the first selection that went otherwise.
func Run(target spi.Target, selections ...string) error {
	for _, text := range selections {
		want, err := Parse(text)
		if err != nil {
			return err
		}
		got := make([]Transfer, len(want))
		target.Select()
		for i, t := range want {
			tx, rx := make([]byte, t.len()), ones(t.len())
			copy(tx, t.Tx)
			target.Exchange(slices.Clone(tx), rx, 8*len(tx))
			got[i].Tx = t.Tx
			if t.Rx != nil {
				got[i].Rx = rx
			}
		}
		target.Deselect()
		if s := String(got); s != String(want) {
			return fmt.Errorf("selection %q: got %q", text, s)
		}
	}
	return nil
}

// ones is what a controller reads where no chip drives its line.
func ones(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// Script is a target that expects selections, in order, and answers as they say.
// Anything else than the next transfer is an error, and is answered with ones.
type Script struct {
	next     [][]Transfer
	now      []Transfer
	selected bool
	errs     []error
}

// Play makes a Script of selections.
func Play(selections ...string) (*Script, error) {
	s := &Script{}
	for _, text := range selections {
		t, err := Parse(text)
		if err != nil {
			return nil, err
		}
		s.next = append(s.next, t)
	}
	return s, nil
}

// Select begins the next selection.
func (s *Script) Select() {
	s.now, s.selected = nil, true
	if len(s.next) == 0 {
		s.errs = append(s.errs, errors.New("selected after the end of the script"))
		return
	}
	s.now, s.next = s.next[0], s.next[1:]
}

// Exchange is the next transfer.
func (s *Script) Exchange(tx, rx []byte, bits int) {
	if !s.selected || len(s.now) == 0 {
		s.errs = append(s.errs, fmt.Errorf("transfer %q: want the end of the selection", spi.Format(tx, nil)))
		return
	}
	want := s.now[0]
	s.now = s.now[1:]
	if bits != 8*want.len() || want.Tx != nil && string(tx) != string(want.Tx) {
		s.errs = append(s.errs, fmt.Errorf("transfer %q of %d bits: want %q", spi.Format(tx, nil), bits, spi.Format(want.Tx, want.Rx)))
		return
	}
	copy(rx, want.Rx)
}

// Deselect ends the selection.
func (s *Script) Deselect() {
	if len(s.now) > 0 {
		s.errs = append(s.errs, fmt.Errorf("released: want %q first", String(s.now)))
	}
	s.now, s.selected = nil, false
}

// Err says what did not go by the script, selections that have not come included.
func (s *Script) Err() error {
	err := errors.Join(s.errs...)
	if len(s.next) > 0 {
		err = errors.Join(err, fmt.Errorf("%d selections have not come: the next is %q", len(s.next), String(s.next[0])))
	}
	return err
}

// Recorder passes everything on to a target and keeps it.
type Recorder struct {
	Target spi.Target
	Log    []string // a selection each, all of whose transfers are exchanges

	now []Transfer
}

// Select passes the selection on.
func (r *Recorder) Select() {
	r.now = nil
	r.Target.Select()
}

// Exchange passes the transfer on.
func (r *Recorder) Exchange(tx, rx []byte, bits int) {
	r.Target.Exchange(tx, rx, bits)
	r.now = append(r.now, Transfer{slices.Clone(tx), slices.Clone(rx)})
}

// Deselect passes the end of the selection on.
func (r *Recorder) Deselect() {
	r.Target.Deselect()
	r.Log = append(r.Log, String(r.now))
}
