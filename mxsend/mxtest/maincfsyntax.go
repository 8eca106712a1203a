package mxtest

import (
	"errors"
	"fmt"
	"strings"
)

// A cfValue is the value of a parameter as it stands there, and its line.
type cfValue struct {
	text string
	line int
}

// split finds the logical lines.
func (p *cfParser) split(text string) {
	var logical string
	first := 0
	flush := func() {
		if strings.TrimSpace(logical) != "" {
			p.add(logical, first)
		}
		logical = ""
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if logical == "" {
				p.wrong(n, "continues nothing: white space at its start makes it part of the line before")
			}
			logical += " " + trimmed
		default:
			flush()
			logical, first = line, n
		}
	}
	flush()
}

// add takes note of a logical line.
func (p *cfParser) add(logical string, line int) {
	name, value, ok := strings.Cut(logical, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		p.wrong(line, "%q is not of the form name = value", logical)
		return
	}
	if old, twice := p.values[name]; twice {
		if old.text != value {
			p.wrong(line, "%s is set twice: %q here, %q in line %d", name, value, old.text, old.line)
		}
		return
	}
	p.values[name] = cfValue{value, line}
	p.order = append(p.order, name)
}

// maxCFValue bounds a value that holds others, and maxCFDepth how deep they do.
const (
	maxCFValue = 64 << 10
	maxCFDepth = 20
)

// expand replaces $name, $(name) and ${name} by the values of other parameters, wherever they stand.
func (p *cfParser) expand(v cfValue) string {
	value, err := p.expanded(v.text, 0)
	if err != nil {
		p.wrong(v.line, "%w", err)
	}
	return strings.TrimSpace(value)
}

func (p *cfParser) expanded(value string, depth int) (string, error) {
	if depth > maxCFDepth {
		return "", errors.New("a parameter is set by itself")
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(value, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, rest, err := cfName(after)
		if err != nil {
			return b.String(), fmt.Errorf("%q: %w", value, err)
		}
		value = rest
		if name == "$" {
			b.WriteByte('$')
			continue
		}
		p.used[name] = true
		known, ok := p.values[name]
		if !ok {
			return b.String(), fmt.Errorf("$%s is not set: write what it stands for", name)
		}
		inner, err := p.expanded(known.text, depth+1)
		if err != nil {
			return b.String(), err
		}
		if b.Len()+len(inner) > maxCFValue {
			return b.String(), fmt.Errorf("the value is longer than %d octets", maxCFValue)
		}
		b.WriteString(inner)
	}
}

// uses takes note of the parameters that a value names, which is read past.
func (p *cfParser) uses(value string) {
	for _, after, ok := strings.Cut(value, "$"); ok; _, after, ok = strings.Cut(after, "$") {
		if name, _, err := cfName(after); err == nil {
			p.used[name] = true
		}
	}
}

// cfName takes the name off what follows a "$"; "$" stands for itself.
func cfName(after string) (name, rest string, err error) {
	if strings.HasPrefix(after, "$") {
		return "$", after[1:], nil
	}
	closing := ""
	switch {
	case strings.HasPrefix(after, "{"):
		closing = "}"
	case strings.HasPrefix(after, "("):
		closing = ")"
	}
	after = strings.TrimPrefix(strings.TrimPrefix(after, "{"), "(")
	end := strings.IndexFunc(after, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if end < 0 {
		end = len(after)
	}
	name, rest = after[:end], after[end:]
	if closing != "" {
		if !strings.HasPrefix(rest, closing) {
			return "", "", errors.New("only ${name} and $(name) can be read here, without conditions")
		}
		rest = rest[1:]
	}
	if name == "" {
		return "", "", errors.New("$ without a name")
	}
	return name, rest, nil
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' || r == '\t' }

// inlineTable takes inline:{ … } off the beginning of a value.
func inlineTable(value string) (body, rest string, ok bool) {
	value, ok = strings.CutPrefix(value, "inline:")
	if !ok {
		return "", value, false
	}
	return braced(strings.TrimLeft(value, " \t"))
}

// braced takes { … } off the beginning, with braces inside that match.
func braced(s string) (body, rest string, ok bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return strings.TrimPrefix(s[:i], "{"), s[i+1:], i > 0
		}
	}
	return "", s, false
}

// inlineEntries reads "key=value" and "{key = value with spaces}", with white space or commas between.
func inlineEntries(body string) ([][2]string, error) {
	var list [][2]string
	for body = strings.TrimLeft(body, " \t,"); body != ""; body = strings.TrimLeft(body, " \t,") {
		entry, rest, ok := braced(body)
		if body[0] != '{' {
			end := strings.IndexFunc(body, isSeparator)
			if end < 0 {
				end = len(body)
			}
			entry, rest, ok = body[:end], body[end:], true
		}
		key, value, equals := strings.Cut(entry, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || !equals || key == "" || value == "" {
			return nil, fmt.Errorf("%q is not of the form key=value", strings.TrimSpace(entry))
		}
		list = append(list, [2]string{key, value})
		body = rest
	}
	return list, nil
}
