package outbox

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// A person is a recipient of a mailing as it is about to be sent to.
type person struct {
	Recipient
	line       int64
	suppressed string // why it is not to be sent to
}

// people reads the recipients of some members, in their order.
func (b *Box) people(ctx context.Context, m *mailing, part []member) ([]person, error) {
	lines := make([]int64, len(part))
	at := make(map[int64]int, len(part))
	for i, one := range part {
		lines[i] = m.order.line(one.n)
		at[lines[i]] = i
	}
	people := make([]person, len(part))
	rows, err := b.store.read.QueryContext(ctx, "SELECT line, address, data FROM outbox_recipient WHERE mailing = $1 AND line IN ("+list(lines)+")", m.id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line int64
		var address, data string
		if err := rows.Scan(&line, &address, &data); err != nil {
			return nil, err
		}
		recipient, err := decodeRecipient(address, data)
		if err != nil {
			return nil, err
		}
		people[at[line]] = person{Recipient: recipient, line: line}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return people, b.markSuppressed(ctx, m.spec.list(), people)
}

func decodeRecipient(address, data string) (r Recipient, err error) {
	r.Address = address
	if data != "" {
		err = json.Unmarshal([]byte(data), &r.Data)
	}
	return r, err
}

// list writes numbers as SQL: they need no placeholders, of which there may not be so many.
func list(numbers []int64) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}
