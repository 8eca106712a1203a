package bounce

import (
	"strings"
	"sync"
)

// Systems have countless ways to say that a mailbox or a domain does not exist,
// all of a few forms: "no such user", "unknown recipient", "mailbox jdoe could
// not be found", "not an active address". absence knows the forms; wordClasses
// lists the words they are made of.

// class says what parts a word can have in such a sentence.
type class uint32

const (
	mailboxNoun  class = 1 << iota
	hostNoun           // a domain's or host's name may follow
	none               // no
	negation           // not, cannot, doesn't
	present            // exist, found, valid: to be negated
	current            // the same, but only before its noun: "not an active user"
	missing            // unknown, invalid: negated already
	gone               // deleted, closed: with "has been" before it
	senderWord         // what stands near it is the sender's
	permission         // "not found in the whitelist" is about the sender
	hedge              // the clause claims nothing
	quantityWord       // "no mailbox space" is not about the mailbox
	filler             // says nothing
	passive            // been, is
)

var wordClasses = map[class]string{
	mailboxNoun: "user users userid username mailbox mailboxes recipient recipients account accounts address addresses " +
		"addressee person alias customer member subscriber inbox maildrop mbox receiver e-mailbox localpart local-part " +
		"utilisateur destinataire usuario utente empfänger benutzer",
	hostNoun: "host hosts hostname domain domains domainname",
	none:     "no keine kein",
	negation: "not cannot can't cant doesn't doesnt don't isn't isnt wasn't couldn't won't didn't hasn't never unable failed nicht",
	present: "exist exists existing existent exsist found find known recognized recognised recognize valid registered " +
		"listed locate located identified resolve resolved defined deliverable verified",
	current: "active current have",
	missing: "unknown nonexistent non-existent nonexistant non-existant nonexisting non-existing inexistent invalid undefined " +
		"unrecognized unrecognised unexistent unregistered unbekannt inconnu desconocido sconosciuto inexistante bad illegal",
	gone: "deleted removed closed terminated discontinued cancelled canceled purged erased",
	senderWord: "sender sender's senders from helo ehlo client ip reverse sending return reply envelope ptr spf dkim " +
		"originating originator source greeting rdns proxy certificate submitter relay relays your",
	permission: "whitelist allowlist allowed contacts permitted authorized spf blacklist",
	hedge:      "if may might perhaps possibly probably either whether check ensure verify please possible maybe unless",
	quantityWord: "space quota storage room size limit specified given supplied selected left available lists policy " +
		"option header headers syntax record records format associated",
	filler: "the a an this that these of at in on to for by with our any such name names local e-mail email mail currently " +
		"here there longer virtual final destination delivery domain's user's recipient's system and it you or been be " +
		"is was are has does do did could can sms remote intended box new or",
	passive: "been is was are were",
}

// wordTable is wordClasses by word. Most words have no class: lengths tells by
// the first octet which lengths any have.
type wordTable struct {
	classes map[string]class
	lengths [256]uint32
}

var theWords = sync.OnceValue(func() *wordTable {
	t := &wordTable{classes: make(map[string]class)}
	for c, words := range wordClasses {
		for w := range strings.FieldsSeq(words) {
			t.classes[w] |= c
			t.lengths[w[0]] |= 1 << len(w)
		}
	}
	return t
})

func (t *wordTable) class(w string) class {
	if len(w) > 31 || t.lengths[w[0]]&(1<<len(w)) == 0 {
		return 0
	}
	return t.classes[w]
}

const (
	maxWords = 300 // words of a text that are looked at
	maxGap   = 6   // words from a noun to what is said about it
)

// word is a word of folded text. ends: the clause ends behind it.
type word struct {
	class       class
	start, stop int
	ends        bool
}

// absence returns the words of folded text that say of a noun that there is
// none, or "".
func absence(folded string, noun class) string {
	var buf [maxWords]word
	words := splitWords(buf[:0], folded)
	clause := 0 // where it starts
	for i, w := range words {
		if w.class&noun != 0 && !isSenders(folded, words[max(clause, i-3):i], w) && !hasClass(words[clause:i], hedge) {
			if i+1 < len(words) && words[i+1].class&quantityWord != 0 && !w.ends {
				continue
			}
			if j := deniedBefore(words[clause:i]); j >= 0 {
				return folded[words[clause+j].start:w.stop]
			}
			if j := deniedBehind(words[i:], noun); j > 0 {
				return folded[w.start:words[i+j].stop]
			}
		}
		if w.ends {
			clause = i + 1
		}
	}
	return ""
}

// deniedBefore looks at what leads to a noun: "no such", "unknown", "not a
// valid". It returns where that starts, or -1.
func deniedBefore(words []word) int {
	claimed := false // a word was there that a negation would deny
	for j := len(words) - 1; j >= 0 && j >= len(words)-5; j-- {
		switch c := words[j].class; {
		case c&(missing|none) != 0 && !claimed:
			return j
		case c&negation != 0 && claimed:
			return j
		case c&(present|current) != 0:
			claimed = true
		case c&none != 0: // no valid recipient
			return j
		case c&filler == 0:
			return -1
		}
	}
	return -1
}

// deniedBehind looks at what follows the noun that words starts with: "unknown",
// "does not exist", "is no longer valid". It returns where that ends, or 0.
func deniedBehind(words []word, noun class) int {
	denied := false
	for j := 1; j < len(words) && j <= maxGap; j++ {
		if words[j-1].ends {
			return 0
		}
		switch c := words[j].class; {
		case c&missing != 0 && !denied, c&gone != 0 && !denied && words[j-1].class&passive != 0:
			return j
		case c&present != 0:
			if denied && !hasClass(words[j+1:min(len(words), j+5)], permission) {
				return j
			}
			return 0
		case c&negation != 0, c&none != 0 && j+1 < len(words):
			denied = true
		case c&(senderWord|hedge) != 0, c&(mailboxNoun|hostNoun)&^noun != 0:
			return 0
		}
	}
	return 0
}

// isSenders reports whether the words before a noun make it the sender's. "Your
// recipient" is not.
func isSenders(folded string, before []word, noun word) bool {
	for _, w := range before {
		if w.class&senderWord != 0 && !(folded[w.start:w.stop] == "your" && strings.HasPrefix(folded[noun.start:], "recipient")) {
			return true
		}
	}
	return false
}

func hasClass(words []word, c class) bool {
	for _, w := range words {
		if w.class&c != 0 {
			return true
		}
	}
	return false
}

// splitWords splits folded text at spaces, underscores and slashes, and marks
// the ends of clauses.
func splitWords(words []word, folded string) []word {
	table := theWords()
	for pos := 0; pos < len(folded) && len(words) < maxWords; {
		end := pos
		for end < len(folded) && strings.IndexByte(" _/", folded[end]) < 0 {
			end++
		}
		start, stop := pos, end
		pos = end + 1
		for start < stop && !isWordByte(folded[start]) {
			start++
		}
		ends := false
		for stop > start && !isWordByte(folded[stop-1]) {
			stop--
			ends = ends || strings.IndexByte(".,;:!?", folded[stop]) >= 0
		}
		if start == stop {
			if ends && len(words) > 0 {
				words[len(words)-1].ends = true
			}
			continue
		}
		c := table.class(folded[start:stop])
		if c&mailboxNoun != 0 && stop < len(folded) && folded[stop] == ':' {
			ends = false // user: unknown
		}
		words = append(words, word{c, start, stop, ends})
	}
	return words
}
