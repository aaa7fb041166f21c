package balloon

import "backplane/periph"

// Kind is the balloon of each board.
var Kind = &periph.ControllerKind{
	Always: "balloon",
	Title:  "memory balloon",
	Source: "virtio 1.2 section 5.5; Linux drivers/virtio/virtio_balloon.c, mm/page_reporting.c",
	Kernel: []string{"CONFIG_PAGE_REPORTING", "CONFIG_VIRTIO_BALLOON"},
	Config: func() periph.ControllerConfig { return new(Config) },
}

// Config has nothing to say.
type Config struct{}

// Check finds nothing.
func (*Config) Check(periph.Report) {}

// Build makes the balloon.
func (*Config) Build(env *periph.Env) (periph.Controller, error) { return New(env), nil }
