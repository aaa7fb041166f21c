package agentproto_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"backplane/firmware/agentproto"

	"github.com/google/go-cmp/cmp"
)

func TestFramesInPieces(t *testing.T) {
	want := []agentproto.Frame{
		{Type: agentproto.Hello, Payload: []byte(agentproto.Version)},
		{Type: agentproto.Stdout, Channel: 7, Payload: bytes.Repeat([]byte("x"), 1000)},
		{Type: agentproto.Stdin, Channel: 1 << 31, Payload: []byte{}},
	}
	var stream []byte
	for _, f := range want {
		stream = f.Append(stream)
	}
	for size := 1; size <= len(stream); size += 13 {
		var got []agentproto.Frame
		var d agentproto.Decoder
		for p := stream; len(p) > 0; {
			n := min(size, len(p))
			if err := d.Feed(p[:n], func(f agentproto.Frame) {
				if f.Payload == nil {
					f.Payload = []byte{}
				}
				got = append(got, f)
			}); err != nil {
				t.Fatal(err)
			}
			p = p[n:]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
	}
	r := bytes.NewReader(stream)
	for i := range want {
		got, err := agentproto.Read(r)
		if err != nil || !cmp.Equal(got, want[i]) {
			t.Errorf("Read %d: %v, %v", i, got, err)
		}
	}
	if _, err := agentproto.Read(r); err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(agentproto.Frame{Type: agentproto.Exec, Channel: 1, Payload: []byte("{}")}.Append(nil))
	f.Add([]byte{0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var out []byte
		var d agentproto.Decoder
		err := d.Feed(data, func(fr agentproto.Frame) { out = fr.Append(out) })
		if err != nil && !errors.Is(err, agentproto.ErrCorrupt) {
			t.Fatalf("unexpected error %v", err)
		}
		if !bytes.HasPrefix(data, out) {
			t.Fatalf("%x decodes to frames that encode to %x", data, out)
		}
	})
}
