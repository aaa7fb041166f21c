package share_test

import (
	"os"
	"testing"

	"backplane/periph/share"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// FuzzDriver has a driver send messages, good ones and others, to a folder that it may change.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("\x00\x01\x04\x40\x0c"))
	f.Add([]byte("\x03\x01\x8c\x40\x40\xff\x0c\x01\x01\x01a"))
	programs := virtiotest.NewPrograms(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var s *share.Share
		programs.Run(t, data, func(*simbus.Calendar, *simbus.Domain) (virtio.Device, func(*virtiotest.Program)) {
			s = share.New("share", true)
			s.Show(root)
			return s, func(*virtiotest.Program) {}
		})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzMessages has a driver say anything of the right length, after it has attached.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x6c\x05\x00\x05\x00"))                                 // Tflush of itself
	f.Add([]byte("\x6e\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")) // Twalk
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := share.New("share", true)
		s.Show(root)
		d := virtiotest.Start(t, s, 64, 0)
		for _, m := range [][]byte{version, attach, body(data)} {
			d.Rings[0].Add([][]byte{m}, []int{2 << 20})
			d.Kick(0)
			if d.Failure != nil {
				break
			}
			if r := d.Rings[0].Results(); len(r) != 1 || len(r[0].Bytes()) < 7 || string(r[0].Bytes()[5:7]) != string(m[5:7]) {
				t.Fatalf("%x is answered by %v", m, r)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
