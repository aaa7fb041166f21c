package rng

import (
	"regexp"

	"backplane/periph"
)

// Kind is the source of randomness of each board.
var Kind = &periph.ControllerKind{
	Always: "rng",
	Title:  "source of randomness",
	Source: "virtio 1.2 section 5.4; Linux drivers/char/hw_random/virtio-rng.c",
	Kernel: []string{"CONFIG_HW_RANDOM", "CONFIG_HW_RANDOM_VIRTIO"},
	Nodes:  regexp.MustCompile(`^/dev/hwrng$`),
	Config: func() periph.ControllerConfig { return new(Config) },
}

// Config has nothing to say.
type Config struct{}

// Check finds nothing.
func (*Config) Check(periph.Report) {}

// Build makes the source.
func (*Config) Build(env *periph.Env) (periph.Controller, error) {
	return New(env.Name, env.Entropy), nil
}
