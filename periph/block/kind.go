package block

import (
	"regexp"
	"time"

	"backplane/periph"
	"backplane/periph/block/image"
	"backplane/simbus"
)

// Kind is the disk of board files.
var Kind = &periph.ControllerKind{
	Table:      "disk",
	Title:      "disk",
	Source:     "virtio 1.2 section 5.2; Linux drivers/block/virtio_blk.c",
	Kernel:     []string{"CONFIG_BLOCK", "CONFIG_BLK_DEV", "CONFIG_VIRTIO_BLK"},
	Events:     Events,
	Properties: properties,
	Nodes:      regexp.MustCompile(`^/dev/vd[a-z]+[0-9]*$`),
	Config:     func() periph.ControllerConfig { return &Config{Type: defaultType, Cache: defaultCache} },
}

const (
	defaultCache = 8 << 20
	maxCache     = 1 << 30
	maxLatency   = periph.Duration(10 * time.Second)
	maxDepth     = 256
	minRate      = 1_000
	maxRate      = 100_000_000_000
)

// Config is one [[disk]] table of a board file.
type Config struct {
	Image    string      `toml:"image,omitempty" jsonschema:"description=File with what the disk has at first: raw or qcow2 or an overlay; it is never written to"`
	Size     periph.Size `toml:"size,omitempty" jsonschema:"description=How large the disk is; as large as its image if left out and 1G without one"`
	Keep     string      `toml:"keep,omitempty" jsonschema:"description=File that keeps what the board writes: an overlay that is made if it is not there; without it that is gone when the run ends"`
	ReadOnly bool        `toml:"read_only,omitempty" jsonschema:"description=Whether the disk can only be read"`
	Serial   string      `toml:"serial,omitempty" jsonschema:"maxLength=20,description=Serial number; the disk's name if left out"`

	Cache periph.Size `toml:"cache,omitempty" jsonschema:"default=8M,description=How much of what was written and not flushed a power cut takes; 0 for a disk without a cache"`
	Torn  bool        `toml:"torn,omitempty" jsonschema:"description=Whether a power cut leaves some blocks of what was not flushed"`
	Lie   bool        `toml:"lie_about_flush,omitempty" jsonschema:"description=Whether the disk says that it has flushed its cache and has not"`

	Type         string           `toml:"type,omitempty" jsonschema:"enum=sd,enum=emmc,enum=ssd,default=emmc,description=How fast the disk is in virtual time; in real time it is as fast as the host"`
	ReadLatency  *periph.Duration `toml:"read_latency,omitempty" jsonschema:"description=Time of a read before data moves"`
	WriteLatency *periph.Duration `toml:"write_latency,omitempty" jsonschema:"description=Time of a write before data moves"`
	FlushLatency *periph.Duration `toml:"flush_latency,omitempty" jsonschema:"description=Time of a flush"`
	ReadRate     int64            `toml:"read_rate,omitempty" jsonschema:"minimum=1000,description=Bytes a second"`
	WriteRate    int64            `toml:"write_rate,omitempty" jsonschema:"minimum=1000,description=Bytes a second"`
	Depth        int              `toml:"depth,omitempty" jsonschema:"minimum=1,maximum=256,description=How many requests are under way at once"`
}

// Medium is where the contents are.
func (c *Config) Medium() image.Medium {
	return image.Medium{Image: c.Image, Keep: c.Keep, Size: int64(c.Size), ReadOnly: c.ReadOnly}
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Size != 0 {
		if err := image.CheckSize(int64(c.Size)); err != nil {
			report("size", "size: %v", err)
		}
	}
	if c.ReadOnly && c.Keep != "" {
		report("keep", "keep of a disk that is read_only: nothing is written to it")
	}
	if len(c.Serial) > idSize {
		report("serial", "serial has %d bytes; it must have at most %d", len(c.Serial), idSize)
	}
	if c.Cache < 0 || c.Cache > maxCache {
		report("cache", "cache is %s; it must be 0 to %s", c.Cache, periph.Size(maxCache))
	}
	if c.Lie && (c.Cache == 0 || c.ReadOnly) {
		report("lie_about_flush", "lie_about_flush of a disk that has no cache to flush")
	}
	c.checkTiming(report)
}

func (c *Config) checkTiming(report periph.Report) {
	if _, ok := types[c.Type]; !ok {
		report("type", "type is %q; it must be sd, emmc or ssd", c.Type)
	}
	for key, d := range map[string]*periph.Duration{"read_latency": c.ReadLatency, "write_latency": c.WriteLatency, "flush_latency": c.FlushLatency} {
		if d != nil && *d > maxLatency {
			report(key, "%s is %s; it must be at most %s", key, *d, maxLatency)
		}
	}
	for key, rate := range map[string]int64{"read_rate": c.ReadRate, "write_rate": c.WriteRate} {
		if rate != 0 && (rate < minRate || rate > maxRate) {
			report(key, "%s is %d bytes a second; it must be %d to %d", key, rate, minRate, int64(maxRate))
		}
	}
	if c.Depth < 0 || c.Depth > maxDepth {
		report("depth", "depth is %d; it must be 1 to %d", c.Depth, maxDepth)
	}
}

// timing is the type's, with what the table says beside it.
func (c *Config) timing() Timing {
	t := types[c.Type]
	for to, d := range map[*time.Duration]*periph.Duration{&t.ReadLatency: c.ReadLatency, &t.WriteLatency: c.WriteLatency, &t.FlushLatency: c.FlushLatency} {
		if d != nil {
			*to = time.Duration(*d)
		}
	}
	for to, rate := range map[*int64]int64{&t.ReadRate: c.ReadRate, &t.WriteRate: c.WriteRate} {
		if rate != 0 {
			*to = rate
		}
	}
	if c.Depth != 0 {
		t.Depth = c.Depth
	}
	return t
}

// Build makes the disk, which has no contents yet.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	serial := c.Serial
	if serial == "" {
		serial = env.Name
	}
	d := New(env.Name, Options{Serial: serial, ReadOnly: c.ReadOnly, Cache: int64(c.Cache), Torn: c.Torn, Timing: c.timing(), Clock: env.Clock, Rand: env.Rand, Post: env.Post,
		Failed: func(op string, sector int64, why string) {
			env.Emit(KindError, simbus.Text("op", op), simbus.Int("sector", int(sector)), simbus.Text("error", why))
		},
		Lost: func(bytes int64) { env.Emit(KindLost, simbus.Int("bytes", int(bytes))) }})
	d.lie = c.Lie
	return d, nil
}
