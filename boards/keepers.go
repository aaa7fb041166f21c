package boards

import (
	"backplane/periph"
	"backplane/periph/block/image"
)

// Keeper is a part that keeps its contents in a file of the host's.
type Keeper struct {
	Part   string        // "board.part"
	Path   string        // of the file, which need not be there
	Medium *image.Medium // of a disk; nil for a chip, whose file has nothing but its contents
}

// Keepers are those of all boards.
func (a *Appliance) Keepers() (list []Keeper) {
	for _, m := range a.Members() {
		for _, c := range m.Board.Controllers() {
			if medium, ok := m.Board.Medium(c); ok && medium.Keep != "" {
				list = append(list, Keeper{m.Name + "." + c.Name, medium.Keep, &medium})
			}
		}
		for _, p := range m.Board.Parts() {
			spec, ok := p.Model.Option(contentsOption)
			if !ok || spec.Kind != periph.Text {
				continue
			}
			if file := p.Options.Values[contentsOption].Text(); file != "" {
				list = append(list, Keeper{Part: m.Name + "." + p.Name, Path: m.Board.Beside(file)})
			}
		}
	}
	return list
}
