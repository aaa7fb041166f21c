package appliance

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/gateway"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// What is logged has the words of events: a board's states, a device's errors and a
// gateway's deeds. It does not come from events, which are made only for those who want
// them, and then of each transfer too.

// stamp is the appliance's time in a line; the line's own is the host's.
func stamp(t simbus.Time) zap.Field { return zap.Duration("t", t.Sub(0)) }

func (r *Running) t() zap.Field { return stamp(r.cal.Now()) }

func (m *Machine) t() zap.Field { return stamp(m.domain.Now()) }

// logState logs what became of a board.
func (m *Machine) logState(state, detail string) {
	level := zap.InfoLevel
	switch state {
	case StatePanic, StateLost:
		level = zap.ErrorLevel
	case StateStuck, StateIncomplete:
		level = zap.WarnLevel
	}
	fields := []zap.Field{m.t(), zap.String("state", state)}
	if detail != "" {
		fields = append(fields, zap.String("detail", detail))
	}
	m.log.Log(level, "state", fields...)
}

// logKernelEnded logs that a kernel has ended, and how, if nobody has ended it.
func (m *Machine) logKernelEnded(pid int, how error) {
	if m.ending != byItself {
		how = nil
	}
	m.log.Info("kernel ended", m.t(), zap.Int("kernel_pid", pid), zap.NamedError("how", how))
}

// fault tells of a device that broke its protocol or was stopped, or of outputs in
// conflict. Guests make them as often as they like.
func (m *Machine) fault(part, text string) {
	m.emit(part, periph.KindDevice, simbus.Text("error", text))
	line := m.log.Check(zap.WarnLevel, "device error")
	if line == nil {
		return
	}
	fields := []zap.Field{m.t(), zap.String("error", text)}
	if part != "" {
		fields = append(fields, zap.String("part", part))
	}
	line.Write(fields...)
}

// logDeed logs what a gateway has done, from the event's attributes.
func (p *gatewayPort) logDeed(attrs []simbus.Attr) {
	level := zap.DebugLevel
	for _, a := range attrs {
		if a.Key == "action" && (a.Value() == gateway.ActionRefused || a.Value() == gateway.ActionDropped) {
			level = zap.InfoLevel
		}
	}
	line := p.log.Check(level, "deed")
	if line == nil {
		return
	}
	fields := []zap.Field{stamp(p.domain.Now())}
	for _, a := range attrs {
		fields = append(fields, field(a))
	}
	line.Write(fields...)
}

func field(a simbus.Attr) zapcore.Field {
	if n, ok := a.Number(); ok {
		return zap.Int64(a.Key, n)
	}
	return zap.String(a.Key, a.Value())
}

// logEnd logs how the appliance ended, and passes that on.
func (r *Running) logEnd(t simbus.Time, err error) error {
	if err != nil {
		r.log.Error("end", stamp(t), zap.String("appliance", r.Name), zap.Error(err))
	} else {
		r.log.Info("end", stamp(t), zap.String("appliance", r.Name))
	}
	return err
}
