package regmap

import "backplane/periph"

const Name = "registers"

type Map struct{}
type Problem struct {
	Key  []string
	Text string
}

func (m *Map) Check() []Problem             { return nil }
func Model(m *Map) (*periph.Model, error) { return nil, nil }
