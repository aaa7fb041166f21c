package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// diskSize is that of the image, in bytes.
const diskSize = 256 << 20

// diskLoads are what disks are asked for.
var diskLoads = []struct {
	name, what, pattern string
	block, depth, count int
}{
	{"reads of 1 MiB in order", "read", "sequential", 1 << 20, 1, 400},
	{"reads of 4 KiB anywhere", "read", "random", 4096, 1, 20_000},
	{"reads of 4 KiB anywhere, 4 at once", "read", "random", 4096, 4, 20_000},
	{"writes of 1 MiB in order", "write", "sequential", 1 << 20, 1, 400},
	{"writes of 1 MiB in order, again", "write", "sequential", 1 << 20, 1, 400},
	{"writes of 4 KiB anywhere", "write", "random", 4096, 1, 20_000},
	{"writes of 4 KiB anywhere, 4 at once", "write", "random", 4096, 4, 20_000},
}

// disk measures a disk in real time, an overlay over an image, and the same load on a file
// of the host: both past the page cache of whoever runs it.
func (b *bench) disk() error {
	raw := filepath.Join(b.dir, "raw.img")
	data := make([]byte, diskSize)
	chance := rand.NewChaCha8([32]byte{})
	_, _ = chance.Read(data) // which never fails
	if err := os.WriteFile(raw, data, 0o644); err != nil {
		return err
	}
	r, err := b.start(false, 1, b.linkBoard(fmt.Sprintf("[[disk]]\nname = \"disk0\"\nimage = %q\n", raw)), "")
	if err != nil {
		return err
	}
	defer r.Close()
	file := filepath.Join(b.dir, "host.img")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	for _, l := range diskLoads {
		args := []string{"blocks", l.what, l.pattern, "/dev/vda", strconv.Itoa(l.block), strconv.Itoa(l.depth), strconv.Itoa(l.count)}
		wait, err := b.command(r, "b0", append([]string{"load"}, args...)...)
		if err != nil {
			return err
		}
		here, err := rate(wait())
		if err != nil {
			return err
		}
		args[3] = file
		out, err := exec.Command(b.Load, args...).CombinedOutput()
		peer, err := rate(string(out), err)
		if err != nil {
			return err
		}
		amount := float64(l.block) * float64(l.count) / 1e6
		b.compare("disk, real: "+l.name, amount/here, amount/peer, "MB/s", atLeast(0.7))
	}
	return b.overlay()
}

// rate is how long a load took, in seconds, as it prints that.
func rate(out string, err error) (float64, error) {
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	return ns / 1e9, err
}

// overlay measures how long it takes to make an overlay of a large image, and to reset it.
func (b *bench) overlay() error {
	large, name := filepath.Join(b.dir, "large.img"), filepath.Join(b.dir, "large.overlay")
	if err := image.CreateRaw(large, 10<<30); err != nil {
		return err
	}
	begin := time.Now()
	below, err := image.Open(large, hostfile.Open)
	if err != nil {
		return err
	}
	err = errors.Join(image.Create(name, below, 0), below.Close())
	made := time.Since(begin)
	begin = time.Now()
	if err = errors.Join(err, image.Reset(name, hostfile.Open)); err != nil {
		return err
	}
	b.row("an overlay of a 10 GiB image made", float64(made.Microseconds())/1e3, 0, "ms")
	b.row("and reset", float64(time.Since(begin).Microseconds())/1e3, 0, "ms")
	return nil
}
