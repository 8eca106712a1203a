package outbox

// A span is a slice of a mailing as it is stored: recipients lo … hi−1 by their place in the order of sending.
//
// It is worked on in rounds. Members of a round are the recipients that have no result yet or whose result is of an earlier
// round and due again. Of the members, those below opened may have been handed over, those from it on have not: that is
// the whole record of intent, one row for thousands of recipients.
type span struct {
	k, lo, hi  int64
	opened     int64
	round, due int64
}

// A member is a recipient that is to be sent to in a round.
type member struct {
	n         int64
	tries     int64
	duplicate bool
	had       Outcome // Pending: there is no row yet
}

// A row is what the ledger has of a recipient.
type row struct {
	n, round, tries, due int64
	outcome              Outcome
	duplicate            bool
}

// members are the round's: open ones were perhaps handed over by somebody who did not live to record it, todo are those
// still to be sent. Rows are in the order of n.
func (s span) members(rows []row) (open, todo []member) {
	for n := s.lo; n < s.hi; n++ {
		m := member{n: n}
		if len(rows) > 0 && rows[0].n == n {
			r := rows[0]
			rows = rows[1:]
			if r.due == 0 || r.due > s.due || r.round >= s.round {
				continue
			}
			m = member{n, r.tries, r.duplicate, r.outcome}
		}
		if n < s.opened {
			open = append(open, m)
		} else {
			todo = append(todo, m)
		}
	}
	return open, todo
}

// cut divides n recipients into slices: small enough that several processes share a mailing, large enough that a slice
// costs little. The canary's recipients have slices of their own. It returns where each begins.
func cut(n, canary int64) []int64 {
	size := min(max(n/64, 100), 2000)
	var begins []int64
	for lo := int64(0); lo < n; {
		begins = append(begins, lo)
		hi := min(lo+size, n)
		if lo < canary && canary < hi {
			hi = canary
		}
		lo = hi
	}
	return begins
}
