package rng_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"backplane/periph/rng"
	"backplane/periph/virtio/virtiotest"
)

func TestFill(t *testing.T) {
	d := virtiotest.Start(t, rng.New("rng", strings.NewReader("abcdefgh")), 8, 0)
	d.Rings[0].Add(nil, []int{3, 2})
	d.Kick(0)
	if r := d.Rings[0].Results(); len(r) != 1 || string(r[0].Bytes()) != "abcde" {
		t.Errorf("got %v, want abcde", r)
	}
}

func TestBadBuffersAndSource(t *testing.T) {
	d := virtiotest.Start(t, rng.New("rng", strings.NewReader("abc")), 8, 0)
	d.Rings[0].Add([][]byte{{1}}, nil)
	if d.Kick(0); d.Failure == nil {
		t.Error("a buffer without room was taken")
	}
	broken := errors.New("broken")
	d = virtiotest.Start(t, rng.New("rng", iotest.ErrReader(broken)), 8, 0)
	d.Rings[0].Add(nil, []int{4})
	if d.Kick(0); !errors.Is(d.Failure, broken) {
		t.Errorf("a source that fails: %v", d.Failure)
	}
}
