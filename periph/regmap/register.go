package regmap

// register is one register of a part.
type register struct {
	content uint32
	access  string
	bytes   int
	little  bool
}

func newRegister(m *Map, r *Register) register {
	order := r.ByteOrder
	if order == "" {
		order = m.ByteOrder
	}
	return register{content: r.Reset, access: r.Access, bytes: r.width() / 8, little: order == littleEndian}
}

// shift is where the n-th byte on the bus stands in the content.
func (r *register) shift(n int) int {
	if r.little {
		return 8 * n
	}
	return 8 * (r.bytes - 1 - n)
}

// read is what the guest gets as the n-th byte.
func (r *register) read(n int) byte {
	b := byte(r.content >> r.shift(n))
	switch r.access {
	case writeOnly:
		return 0
	case readToClear:
		r.content &^= 0xff << r.shift(n)
	}
	return b
}

// write is what the guest does to the n-th byte.
func (r *register) write(n int, b byte) {
	switch s := r.shift(n); r.access {
	case readOnly, readToClear:
	case write1ToClear:
		r.content &^= uint32(b) << s
	default:
		r.content = r.content&^(0xff<<s) | uint32(b)<<s
	}
}
