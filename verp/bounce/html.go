package bounce

import (
	"html"
	"strings"
)

// stripHTML leaves the text: block elements end lines, scripts, styles and
// comments are dropped. Links are never followed.
func stripHTML(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		if strings.HasPrefix(s, "<!--") {
			_, s, _ = strings.Cut(s, "-->")
			continue
		}
		j := strings.IndexByte(s, '>')
		if j < 0 {
			break
		}
		tag := s[1:j]
		s = s[j+1:]
		if strings.IndexByte(tag, '@') > 0 && strings.IndexByte(tag, ' ') < 0 && strings.IndexByte(tag, '=') < 0 {
			b.WriteString("<" + tag + ">") // an address that was not escaped
			continue
		}
		name := strings.ToLower(tag)
		if k := strings.IndexAny(name, " \t\n/"); k > 0 {
			name = name[:k]
		}
		switch name {
		case "script", "style", "head":
			k := indexFold(s, "</"+name)
			if k < 0 { // never closed: all the rest belongs to it
				return html.UnescapeString(b.String())
			}
			s = s[k:]
		case "br", "p", "/p", "div", "/div", "tr", "/tr", "li", "table", "/table", "h1", "h2", "h3", "/h1", "/h2", "/h3", "pre", "/pre", "blockquote":
			b.WriteByte('\n')
		case "td", "/td":
			b.WriteByte(' ')
		}
	}
	return html.UnescapeString(b.String())
}

// indexFold is strings.Index for a needle of lower-case ASCII, in any case.
func indexFold(s, needle string) int {
	for i := 0; i+len(needle) <= len(s); i++ {
		if lowerASCII(s[i]) == needle[0] && strings.EqualFold(s[i:i+len(needle)], needle) {
			return i
		}
	}
	return -1
}
