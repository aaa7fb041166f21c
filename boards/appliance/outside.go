package appliance

import (
	"errors"
	"fmt"
	"slices"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/boards/tomlfile"
	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/simbus/gateway"

	"go.uber.org/zap"
)

// outside is what is behind a gateway: [gateway.Gateway] or [gateway.Tap].
type outside interface {
	Deliver(*ether.Frame) error
	Out() *gateway.Queue
	Close() error
}

// gatewayPort is where a gateway meets its segment.
type gatewayPort struct {
	name   string
	domain *simbus.Domain
	port   *ether.Port
	behind outside // nil if the appliance was started detached
	log    *zap.Logger
	batch  ether.Batch
}

// checkClock refuses gateways where virtual time would run past the outside.
func (r *Running) checkClock(a *boards.Appliance) error {
	if len(a.Gateway) == 0 || a.Paced || r.opts.Detached || !r.opts.Virtual {
		return nil
	}
	return tomlfile.Problems{a.Problem("gateway[0]",
		"a gateway leads to the world outside, which virtual time would outrun: write paced = true, above all tables, to hold virtual time to the host's clock, or run in real time (--clock real)")}
}

// addGateway puts a gateway on its segment.
func (r *Running) addGateway(g *boards.Gateway) error {
	d, err := r.cal.AddDomain("")
	if err != nil {
		return err
	}
	p := &gatewayPort{name: g.Name, domain: d, log: r.opts.Log.Named("gateway").With(zap.String("part", g.Name))}
	if !r.opts.Detached {
		if p.behind, err = openGateway(g, !r.opts.Virtual, p.log); err != nil {
			return err
		}
	}
	r.gateways = append(r.gateways, p)
	p.log.Info("gateway", r.t(), zap.String("segment", g.Segment), zap.Bool("detached", r.opts.Detached))
	if !r.opts.Detached {
		r.note(g.Opening())
	}
	return nil
}

// gateway finds a gateway, which is there.
func (r *Running) gateway(name string) *gatewayPort {
	i := slices.IndexFunc(r.gateways, func(p *gatewayPort) bool { return p.name == name })
	return r.gateways[i]
}

// openGateways lets in, in real time, what comes through gateways that are on their segments.
func (r *Running) openGateways() {
	for _, p := range r.gateways {
		if p.behind != nil && !r.opts.Virtual {
			p.behind.Out().OnItem(func() { p.domain.Post(p.admit) })
		}
	}
}

// Receive takes a frame for the outside: a gateway is a [net.Station].
func (p *gatewayPort) Receive(f *ether.Frame) error {
	if p.behind == nil {
		return nil
	}
	return p.behind.Deliver(f)
}

// Plug puts the gateway on its segment.
func (p *gatewayPort) Plug(port *ether.Port, _ int64, _ bool) { p.port = port }

// SetLink changes nothing: what is behind the gateway has a cable of its own.
func (p *gatewayPort) SetLink(bool) {}

func openGateway(g *boards.Gateway, offload bool, log *zap.Logger) (outside, error) {
	if g.Tap != "" || g.Bridge != "" {
		return gateway.OpenTap(gateway.TapConfig{Name: g.Name, Tap: g.Tap, Bridge: g.Bridge, Offload: offload})
	}
	c := g.Config()
	c.Offload, c.Log = offload, log
	return gateway.New(c)
}

// admit lets in, in real time, what has come from outside. It is called on the
// gateway's goroutine.
func (p *gatewayPort) admit() {
	for _, i := range p.behind.Out().Take() {
		if i.Frame != nil {
			i.Frame.Batch = &p.batch
			i.Frame.Pad()
			p.port.Send(i.Frame)
			p.batch.Next()
		} else {
			p.emit(i.Event)
		}
		i.Release()
	}
	p.batch.Flush()
}

func (p *gatewayPort) emit(attrs []simbus.Attr) {
	p.domain.Emit(simbus.Event{Part: p.name, Kind: gateway.KindGateway, Attrs: attrs})
	p.logDeed(attrs)
}

// admit lets in, in virtual time, what has come from outside since the last
// slice. Time stands still.
func (r *Running) admit() {
	for _, p := range r.gateways {
		if p.behind == nil {
			continue
		}
		for _, i := range p.behind.Out().Take() {
			in := record.Input{Do: record.DoGateway, Path: p.name}
			if i.Frame != nil {
				i.Frame.Pad()
				in.Do, in.Data = record.DoFrame, make([]byte, 0, i.Frame.Len())
				for _, part := range i.Frame.Parts {
					in.Data = append(in.Data, part...)
				}
			} else {
				e := simbus.Event{Attrs: i.Event}
				in.Event = e.AppendJSON(nil)
			}
			i.Release()
			_ = r.Inject(in) // the gateway is there
		}
	}
}

// Inject lets something in from outside, at the appliance's present time: each
// frame and each event of a gateway comes this way in virtual time. A replay
// calls it between two calls of Advance, at the time that the record says, on an
// appliance that was started detached.
func (r *Running) Inject(in record.Input) error {
	return r.input(in, func() error {
		var names []string
		for _, p := range r.gateways {
			if p.name == in.Path {
				return p.inject(&in)
			}
			names = append(names, p.name)
		}
		return boards.Unknown("gateway", in.Path, names)
	})
}

func (p *gatewayPort) inject(in *record.Input) error {
	if in.Do == record.DoFrame {
		p.domain.Do(func() { p.port.Send(&ether.Frame{Parts: [][]byte{in.Data}}) })
		return nil
	}
	e, err := simbus.ParseEvent(in.Event)
	if err == nil {
		p.domain.Do(func() { p.emit(e.Attrs) })
	}
	return err
}

// closeGateways ends what is behind the gateways, before the clock is ended.
func (r *Running) closeGateways() error {
	var errs []error
	for _, p := range r.gateways {
		if p.behind == nil {
			continue
		}
		if err := p.behind.Close(); err != nil {
			errs = append(errs, fmt.Errorf("gateway %s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}
