package dkim

import (
	"slices"
	"strings"
	"testing"
)

func TestFromDomains(t *testing.T) {
	for _, c := range []struct {
		value string
		want  string // domains; "-" where malformed
	}{
		{"a@b.example", "b.example"},
		{" <a@b.example> ", "b.example"},
		{"Ann Smith <a@b.example>", "b.example"},
		{`"x@evil.example" <a@b.example>`, "b.example"},
		{`"\"x@evil.example" <a@b.example>`, "b.example"},
		{`(x@evil.example (and y@evil.example \) )) a@b.example (c)`, "b.example"},
		{`"a@x"@b.example`, "b.example"},
		{"a@b.example, c@d.example", "b.example d.example"},
		{", a@b.example,,", "b.example"},
		{"friends: a@b.example, <c@d.example>;", "b.example d.example"},
		{"friends: a@b.example;, c@d.example", "b.example d.example"},
		{"<@relay.example,@r2.example:a@b.example>", "-"},
		{"<@relay.example:a@b.example>", "-"},
		{"a@ (comment)\r\n b.example", "b.example"},
		{"a@[192.0.2.1]", "[192.0.2.1]"},
		{"=?utf-8?q?a=40b?= <a@b.example>", "b.example"},
		{"jörg@bücher.example", "bücher.example"},
		{"", "-"}, {"Ann", "-"}, {"nobody:;", "-"}, {"<>", "-"}, {"a@", "-"}, {"<a@b.example", "-"}, {"a@b.example>", "-"},
		{"x@evil.example <a@b.example>", "-"}, {"<a@b.example> x@evil.example", "-"}, {"<a@b.example> <c@d.example>", "-"},
		{"a@b.example@c.example", "-"}, {"a@b.example c", "-"}, {"a@b.example, Ann", "-"}, {"<a@b.example>x", "-"},
		{`"open <a@b.example>`, "-"}, {"(open <a@b.example>", "-"}, {`<a@b.example> "x"`, "-"}, {"a@[192.0.2.1", "-"},
		{"<<a@b.example>>", "-"}, {"a@b.example:", "-"}, {":a@b.example", "-"}, {"a@b.example (open", "-"}, {"a@(open", "-"},
		{"<Ann, a@b.example>", "-"}, {"@b.example", "b.example"}, // the local part is not this function's business
	} {
		var got []string
		text := "-"
		if eachFromDomain([]byte(c.value), func(d []byte) bool { got = append(got, string(d)); return true }) {
			text = strings.Join(got, " ")
		}
		if text != c.want {
			t.Errorf("%q: got %q, want %q", c.value, text, c.want)
		}
	}
	t.Run("stops", func(t *testing.T) {
		var got []string
		ok := eachFromDomain([]byte("a@b, c@d"), func(d []byte) bool { got = append(got, string(d)); return false })
		if ok || !slices.Equal(got, []string{"b"}) {
			t.Errorf("got %v, %q", ok, got)
		}
	})
}
