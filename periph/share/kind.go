// Package share shows a guest a folder of the host: a virtio-9p device (virtio 1.2 section
// 5.9, which reserves its number; Linux net/9p/trans_virtio.c and fs/9p) that speaks 9P2000.L.
package share

import (
	"path"

	"backplane/firmware/config"
	"backplane/periph"

	"golang.org/x/sys/unix"
)

// Kind is [[share]] of a board file.
var Kind = &periph.ControllerKind{
	Table:  "share",
	Title:  "folder of the host",
	Source: "virtio 1.2 section 5; 9P2000.L; Linux net/9p/trans_virtio.c, fs/9p",
	Kernel: []string{"CONFIG_NET_9P", "CONFIG_NET_9P_VIRTIO", "CONFIG_9P_FS"},
	Config: func() periph.ControllerConfig { return new(Config) },
}

// Config is one [[share]] table of a board file.
type Config struct {
	Path     string `toml:"path" jsonschema:"description=Folder of the host; relative to the board file"`
	At       string `toml:"at" jsonschema:"description=Where the board has it; a folder that is made if it is not there"`
	Writable bool   `toml:"writable,omitempty" jsonschema:"description=Whether the board may change what is in it: such a board cannot be verified"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.Path == "" {
		report("path", "path is missing: the folder of the host")
	}
	switch {
	case c.At == "":
		report("at", "at is missing: where the board has the folder, such as \"/mnt\"")
	case !path.IsAbs(c.At) || path.Clean(c.At) != c.At || c.At == "/":
		report("at", "at is %q; it must be an absolute path below /, without \"..\" or a \"/\" at its end", c.At)
	default:
		for _, m := range config.Mounts {
			if m.Dir == c.At {
				report("at", "at is %q, where a board has its %s", c.At, m.FS)
			}
		}
	}
}

// Folder is the folder of the host.
func (c *Config) Folder() (name string, writable bool) { return c.Path, c.Writable }

// Mount is how init mounts it.
func (c *Config) Mount(tag string) config.Mount {
	m := config.Mount{Dir: c.At, FS: "9p", Source: tag, Data: "trans=virtio,version=9p2000.L,msize=512000,access=client"}
	if !c.Writable {
		m.Flags = unix.MS_RDONLY
	}
	return m
}

// Build makes the device, which has no folder yet.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	return New(env.Name, c.Writable), nil
}
