package bounce

import (
	"strings"
	"sync"
)

// match is what words say: the category, the words or pattern, and how far they
// can be trusted.
type match struct {
	category Category
	words    string
	grade    grade
	waiting  Category // of ExpiredInQueue, as in rule
}

// matchText returns what the first rule that matches says, with the longest of
// its patterns that do. strict is for a notice as a whole: it leaves out the
// rules whose words occur in set phrases.
func matchText(text string, strict bool) match {
	if text == "" {
		return match{}
	}
	folded := foldText(text)
	index := textIndex()
	best := len(textRules)
	pattern := ""
	for i := 0; i+3 <= len(folded); i++ {
		for _, e := range index[hash3(folded[i:])] {
			if int(e.rule) > best || int(e.rule) == best && len(e.pattern) <= len(pattern) || strict && textRules[e.rule].grade >= loose {
				continue
			}
			if !strings.HasPrefix(folded[i:], e.head) {
				continue
			}
			n := matchTail(folded[i+len(e.head):], e.tail)
			if n < 0 || strict && isConditional(folded[:i]) || textRules[e.rule].category.Hard() && isHedged(folded[:i], folded[i:i+len(e.head)+n]) {
				continue
			}
			best, pattern = int(e.rule), e.pattern
		}
	}
	for _, i := range absenceRules() {
		if i >= best {
			break
		}
		if words := absence(folded, textRules[i].absent); words != "" {
			best, pattern = i, words
		}
	}
	if best == len(textRules) {
		return match{}
	}
	m := match{textRules[best].category, pattern, textRules[best].grade, textRules[best].waiting}
	if m.category == HostUnknown && containsAny(folded, dnsTrouble) {
		m.category = Network // the domain's name servers could not be asked
	}
	return m
}

// absenceRules lists the rules that absence belongs to.
var absenceRules = sync.OnceValue(func() []int {
	var out []int
	for i, r := range textRules {
		if r.absent != 0 {
			out = append(out, i)
		}
	}
	return out
})

// entry is a pattern in the index of textRules.
type entry struct {
	rule                int16
	pattern, head, tail string // tail: what follows the '*', or empty
}

// textIndex holds the patterns by a hash of their first three octets, so that
// matching takes one look a position instead of one search a pattern.
var textIndex = sync.OnceValue(func() *[1 << 12][]entry {
	var index [1 << 12][]entry
	for i, r := range textRules {
		for _, p := range r.patterns {
			head, tail, _ := strings.Cut(p, "*")
			h := hash3(head)
			index[h] = append(index[h], entry{int16(i), p, head, tail})
		}
	}
	return &index
})

// phraseIndex finds the phrases of several lists in one pass.
type phraseIndex [1 << 12][]indexed

type indexed struct {
	phrase string
	list   int
}

// newPhraseIndex indexes lists of phrases of at least three octets.
func newPhraseIndex(lists ...[]string) *phraseIndex {
	var x phraseIndex
	for i, list := range lists {
		for _, p := range list {
			h := hash3(p)
			x[h] = append(x[h], indexed{p, i})
		}
	}
	return &x
}

// each calls found with the list and position of each phrase in folded text.
func (x *phraseIndex) each(folded string, found func(list, pos int)) {
	for i := 0; i+3 <= len(folded); i++ {
		for _, e := range x[hash3(folded[i:])] {
			if strings.HasPrefix(folded[i:], e.phrase) {
				found(e.list, i)
			}
		}
	}
}

// hash3 hashes the first three octets of s.
func hash3(s string) uint32 {
	return (uint32(s[0])*0x9E5 ^ uint32(s[1])*0x61 ^ uint32(s[2])*0x1F3) & (1<<12 - 1)
}

// matchTail finds what follows a '*' within 60 octets, and returns where it ends,
// or -1.
func matchTail(text, tail string) int {
	if tail == "" {
		return 0
	}
	i := strings.Index(text[:min(len(text), 60+len(tail))], tail)
	if i < 0 {
		return -1
	}
	return i + len(tail)
}

// isHedged reports whether words say only what may be, by themselves or by the
// start of their clause: "if the user does not exist".
func isHedged(before, words string) bool {
	before = before[max(0, len(before)-60):]
	before = before[strings.LastIndexAny(before, ".,;:!?")+1:]
	for _, s := range [...]string{before, words} {
		for w := range strings.FieldsSeq(s) {
			if theWords().class(w)&hedge != 0 {
				return true
			}
		}
	}
	return false
}

// foldText lowers ASCII letters, makes one space of several, and leaves out
// words with an '@', so that an address cannot pass for an explanation.
func foldText(s string) string {
	out := make([]byte, 0, len(s)+1)
	word := 0 // start of the current word in out
	at := false
	end := func() {
		if at {
			out = out[:word]
		}
		if n := len(out); n > 0 && out[n-1] != ' ' {
			out = append(out, ' ')
		}
		word, at = len(out), false
	}
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == ' ' || ch == '\n' || ch == '\t':
			end()
		case ch == '@':
			at = true
			out = append(out, ch)
		case 'A' <= ch && ch <= 'Z':
			out = append(out, ch+'a'-'A')
		default:
			out = append(out, ch)
		}
	}
	end()
	return strings.TrimSuffix(string(out), " ")
}
