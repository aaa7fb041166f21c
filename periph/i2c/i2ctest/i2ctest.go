package i2ctest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"backplane/periph/i2c"
)

// Transaction is what went over the bus between START and STOP.
type Transaction struct {
	Msgs []i2c.Msg
	Nack bool // the target did not acknowledge
}

// Parse reads a transaction such as "W 00 R 19 00" or "W 10 ff !".
func Parse(text string) (Transaction, error) {
	var t Transaction
	for _, word := range strings.Fields(text) {
		switch word {
		case "W", "R":
			t.Msgs = append(t.Msgs, i2c.Msg{Read: word == "R", Data: []byte{}})
			continue
		case "!":
			t.Nack = true
			continue
		}
		b, err := hex.DecodeString(word)
		if err != nil || len(b) != 1 || len(t.Msgs) == 0 || t.Nack {
			return Transaction{}, fmt.Errorf("parse transaction %q: %q is out of place: want W or R, bytes of two hex digits, and ! at the end", text, word)
		}
		last := &t.Msgs[len(t.Msgs)-1]
		last.Data = append(last.Data, b[0])
	}
	if len(t.Msgs) == 0 {
		return Transaction{}, fmt.Errorf("parse transaction %q: it has no message", text)
	}
	return t, nil
}

// String is what Parse reads.
func (t Transaction) String() string {
	if t.Nack {
		return i2c.Format(t.Msgs) + " !"
	}
	return i2c.Format(t.Msgs)
}

// Script is a target that expects transactions, in order, and answers as they
// say. Anything else than the next one is not acknowledged, and is an error.
type Script struct {
	next []Transaction
	errs []error
}

// Play makes a Script of transactions.
func Play(transactions ...string) (*Script, error) {
	s := &Script{}
	for _, text := range transactions {
		t, err := Parse(text)
		if err != nil {
			return nil, err
		}
		s.next = append(s.next, t)
	}
	return s, nil
}

// Transfer is the next transaction.
func (s *Script) Transfer(msgs []i2c.Msg) error {
	if len(s.next) == 0 {
		s.errs = append(s.errs, fmt.Errorf("transfer %q after the end of the script", i2c.Format(msgs)))
		return i2c.ErrNoAck
	}
	want := s.next[0]
	s.next = s.next[1:]
	if !sameRequest(want.Msgs, msgs) {
		s.errs = append(s.errs, fmt.Errorf("transfer %q: want %q", i2c.Format(msgs), want))
		return i2c.ErrNoAck
	}
	if want.Nack {
		return i2c.ErrNoAck
	}
	for i := range msgs {
		if msgs[i].Read {
			copy(msgs[i].Data, want.Msgs[i].Data)
		}
	}
	return nil
}

// Err says what did not go by the script, transactions that have not come included.
func (s *Script) Err() error {
	err := errors.Join(s.errs...)
	if len(s.next) > 0 {
		err = errors.Join(err, fmt.Errorf("%d transactions have not come: the next is %q", len(s.next), s.next[0]))
	}
	return err
}

// sameRequest tells whether the messages ask for the same: direction, length,
// and the bytes that are written.
func sameRequest(a, b []i2c.Msg) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Read != b[i].Read || len(a[i].Data) != len(b[i].Data) {
			return false
		}
		if !a[i].Read && string(a[i].Data) != string(b[i].Data) {
			return false
		}
	}
	return true
}

// Recorder passes transactions on to a target and keeps them.
type Recorder struct {
	Target i2c.Target
	Log    []string // as String writes them
}

// Transfer passes the transaction on.
func (r *Recorder) Transfer(msgs []i2c.Msg) error {
	err := r.Target.Transfer(msgs)
	r.Log = append(r.Log, Transaction{Msgs: msgs, Nack: err != nil}.String())
	return err
}

// Run plays transactions against a target as a controller would. The bytes of
// the reads in them are what is expected. The error is about the first
// transaction that went otherwise.
func Run(target i2c.Target, transactions ...string) error {
	for _, text := range transactions {
		want, err := Parse(text)
		if err != nil {
			return err
		}
		got := Transaction{Msgs: make([]i2c.Msg, len(want.Msgs))}
		for i, m := range want.Msgs {
			got.Msgs[i] = i2c.Msg{Read: m.Read, Data: make([]byte, len(m.Data))}
			if !m.Read {
				copy(got.Msgs[i].Data, m.Data)
			}
		}
		err = target.Transfer(got.Msgs)
		got.Nack = errors.Is(err, i2c.ErrNoAck)
		if err != nil && !got.Nack {
			return fmt.Errorf("transfer %q: %w", text, err)
		}
		if got.String() != want.String() && !(got.Nack && want.Nack) {
			return fmt.Errorf("transfer %q: got %q", want, got)
		}
	}
	return nil
}
