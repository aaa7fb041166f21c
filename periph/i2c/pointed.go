package i2c

// Pointed is the target of a part whose first written byte points to a register, which
// stays pointed to.
type Pointed struct {
	Pointer uint8
	Read    func(register uint8) []byte // what the register has: at least one byte
	Write   func(register uint8, data []byte)
}

// Transfer carries out one transaction. Reading on after a register's end
// repeats it.
func (p *Pointed) Transfer(msgs []Msg) error {
	for _, m := range msgs {
		if m.Read {
			b := p.Read(p.Pointer)
			for i := range m.Data {
				m.Data[i] = b[i%len(b)]
			}
			continue
		}
		if len(m.Data) > 0 {
			p.Pointer = m.Data[0]
		}
		if len(m.Data) > 1 {
			p.Write(p.Pointer, m.Data[1:])
		}
	}
	return nil
}
