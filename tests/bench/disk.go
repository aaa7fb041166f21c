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

	"backplane/boards/appliance"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// diskSize is that of the image, in bytes.
const diskSize = 256 << 20

// diskLoad is what a disk is asked for.
type diskLoad struct {
	name, what, pattern string
	block, depth, count int
	once                bool // it is another the second time
}

// diskLoads are measured one after another, each beside a file of the host.
var diskLoads = []diskLoad{
	{"reads of 1 MiB in order", "read", "sequential", 1 << 20, 1, 400, false},
	{"reads of 4 KiB anywhere", "read", "random", 4096, 1, 20_000, false},
	{"reads of 4 KiB anywhere, 4 at once", "read", "random", 4096, 4, 20_000, false},
	{"writes of 1 MiB in order", "write", "sequential", 1 << 20, 1, 240, true},
	{"writes of 1 MiB in order, again", "write", "sequential", 1 << 20, 1, 400, false},
	{"writes of 4 KiB anywhere", "write", "random", 4096, 1, 20_000, false},
	{"writes of 4 KiB anywhere, 4 at once", "write", "random", 4096, 4, 20_000, false},
}

// overlayLoads come after those, when the overlay has all blocks; each is measured beside
// the one of diskLoads that has read the same of the raw image.
var overlayLoads = []int{0, 1}

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
	file, copied := filepath.Join(b.dir, "host.img"), filepath.Join(b.dir, "ubd.img")
	for _, name := range []string{file, copied} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	ubds, err := b.ubds(raw, copied)
	for _, u := range ubds {
		defer u.end()
	}
	if err != nil {
		return err
	}
	places := []func(*diskLoad) (float64, error){
		func(l *diskLoad) (float64, error) { return b.guestLoad(r, l) },
		func(l *diskLoad) (float64, error) {
			out, err := exec.Command(b.Load, l.args(file)...).CombinedOutput()
			return l.rate(string(out), err)
		},
	}
	for _, u := range ubds {
		places = append(places, u.load)
	}
	var rates []float64
	for _, l := range diskLoads {
		best, err := l.inTurns(places)
		if err != nil {
			return err
		}
		rates = append(rates, best[0])
		b.compare("disk, real: "+l.name, best[0], best[1], "MB/s", atLeast(0.7))
		for i, u := range ubds {
			b.compare("  beside "+u.name, best[0], best[2+i], "MB/s", atLeast(1.5))
		}
	}
	for _, i := range overlayLoads {
		best, err := diskLoads[i].inTurns(places[:1])
		if err != nil {
			return err
		}
		b.compare(diskLoads[i].name+", overlay beside raw", best[0], rates[i], "MB/s", atLeast(1/1.2))
	}
	return b.overlay()
}

// inTurns is the best that a load reaches at each of the places, one after another: in three rounds, if it can be repeated.
func (l *diskLoad) inTurns(places []func(*diskLoad) (float64, error)) (best []float64, err error) {
	best = make([]float64, len(places))
	for round := 0; round < 3 && (round == 0 || !l.once); round++ {
		for i, place := range places {
			rate, err := place(l)
			if err != nil {
				return nil, err
			}
			best[i] = max(best[i], rate)
		}
	}
	return best, nil
}

// guestLoad is what a load reaches on the board's disk, in MB/s.
func (b *bench) guestLoad(r *appliance.Running, l *diskLoad) (float64, error) {
	wait, err := b.command(r, "b0", append([]string{"load"}, l.args("/dev/vda")...)...)
	if err != nil {
		return 0, err
	}
	return l.rate(wait())
}

func (l *diskLoad) args(file string) []string {
	return []string{"blocks", l.what, l.pattern, file, strconv.Itoa(l.block), strconv.Itoa(l.depth), strconv.Itoa(l.count)}
}

// rate is how fast a load was, in MB/s: it prints how long it took, in ns.
func (l *diskLoad) rate(out string, err error) (float64, error) {
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	return float64(l.block) * float64(l.count) / ns * 1e3, err
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
	b.compare("an overlay of a 10 GiB image made (peer: the aim)", float64(made.Microseconds())/1e3, 20, "ms", atMost(1))
	b.compare("and reset (peer: the aim)", float64(time.Since(begin).Microseconds())/1e3, 20, "ms", atMost(1))
	return nil
}
