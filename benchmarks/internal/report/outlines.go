package report

import (
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// outlines is a canvas that draws text as the outlines of its letters: whoever looks at the picture need not have the font that
// it was laid out with, without which labels run into each other.
type outlines struct {
	vg.CanvasSizer
}

// FillString draws a line of text with its lower left corner at a point.
func (o outlines) FillString(face font.Face, at vg.Point, text string) {
	var path vg.Path
	var buffer sfnt.Buffer
	f := face.Face
	em := f.UnitsPerEm()
	unit := face.Font.Size / vg.Length(em) // of the font, at the size wanted
	size := fixed.I(int(em))               // at which a point is a unit of the font
	for _, r := range text {
		glyph, err := f.GlyphIndex(&buffer, r)
		if err != nil {
			continue
		}
		segments, err := f.LoadGlyph(&buffer, glyph, size, nil)
		if err != nil {
			continue
		}
		// Letters have y downwards.
		point := func(p fixed.Point26_6) vg.Point {
			return vg.Point{X: at.X + unit*vg.Length(p.X)/64, Y: at.Y - unit*vg.Length(p.Y)/64}
		}
		open := false
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if open {
					path.Close()
				}
				path.Move(point(s.Args[0]))
				open = true
			case sfnt.SegmentOpLineTo:
				path.Line(point(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(point(s.Args[0]), point(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
			}
		}
		if open {
			path.Close()
		}
		if advance, err := f.GlyphAdvance(&buffer, glyph, size, 0); err == nil {
			at.X += unit * vg.Length(advance) / 64
		}
	}
	if len(path) > 0 {
		o.Fill(path)
	}
}
