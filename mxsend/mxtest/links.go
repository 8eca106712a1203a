package mxtest

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// links are the links of a mail's HTML and text, each once.
func links(text, page string) []string {
	var list []string
	add := func(link string) {
		if link = strings.TrimSpace(link); isLink(link) && !slices.Contains(list, link) {
			list = append(list, link)
		}
	}
	tokens(page, func(t html.Token) {
		if t.DataAtom != atom.A && t.DataAtom != atom.Area {
			return
		}
		for _, a := range t.Attr {
			if a.Key == "href" {
				add(a.Val)
			}
		}
	}, func(string) {})
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`<>"`, r) }) {
		for _, scheme := range schemes {
			if i := strings.Index(strings.ToLower(word), scheme); i >= 0 {
				link := strings.TrimRight(word[i:], ".,;:!?'") // punctuation of the sentence around it
				if !strings.Contains(link, "(") {
					link = strings.TrimRight(link, ")].,")
				}
				add(link)
				break
			}
		}
	}
	return list
}

var schemes = []string{"https://", "http://", "mailto:"}

func isLink(s string) bool {
	for _, scheme := range schemes {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// visible is the text of an HTML page that a reader sees.
func visible(page string) string {
	var b strings.Builder
	tokens(page, func(t html.Token) {
		if !slices.Contains(inline, t.DataAtom) {
			b.WriteByte(' ')
		}
	}, func(text string) { b.WriteString(text) })
	return b.String()
}

// inline are the elements that do not part words.
var inline = []atom.Atom{
	atom.A, atom.B, atom.I, atom.U, atom.S, atom.Em, atom.Strong, atom.Span, atom.Small, atom.Font, atom.Code, atom.Mark, atom.Sub, atom.Sup,
}

// tokens goes through an HTML page: the tags and the text of what is shown.
func tokens(page string, tag func(html.Token), text func(string)) {
	z := html.NewTokenizer(strings.NewReader(page))
	var hidden atom.Atom
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if hidden == 0 {
				text(html.UnescapeString(string(z.Text())))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch t.DataAtom {
			case atom.Script, atom.Style, atom.Title:
				hidden = t.DataAtom
			default:
				tag(t)
			}
		case html.EndTagToken:
			t := z.Token()
			if t.DataAtom == hidden {
				hidden = 0
			}
			tag(t)
		}
	}
}
