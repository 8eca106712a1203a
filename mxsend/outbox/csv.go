package outbox

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// CSV reads recipients from comma-separated values with a head (RFC 4180, UTF-8). The column "address" or "email" is the address,
// every other column that is not empty is in Data under its name, in lower case. A broken line is an error in the sequence, with its number, and reading goes
// on behind it: Mailing.SkipBroken says what becomes of the rest.
func CSV(r io.Reader) iter.Seq2[Recipient, error] {
	return func(yield func(Recipient, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		head, err := in.Read()
		if err != nil {
			yield(Recipient{}, fmt.Errorf("the head of the CSV: %w", noEOF(err)))
			return
		}
		names := make([]string, len(head))
		address := -1
		for i, name := range head {
			names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
			if address < 0 && (names[i] == "address" || names[i] == "email") {
				address = i
			}
		}
		if address < 0 {
			yield(Recipient{}, fmt.Errorf("the head of the CSV has no column \"address\" or \"email\": %q", head))
			return
		}
		for {
			record, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var parse *csv.ParseError
			switch {
			case errors.As(err, &parse):
				err = fmt.Errorf("line %d: %w", parse.StartLine, parse.Err)
			case err != nil: // of the reader: there will be no more
				yield(Recipient{}, err)
				return
			default:
				var one Recipient
				if one, err = recipientOf(names, address, record); err == nil {
					if !yield(one, nil) {
						return
					}
					continue
				}
				line, _ := in.FieldPos(0)
				err = fmt.Errorf("line %d: %w", line, err)
			}
			if !yield(Recipient{}, err) {
				return
			}
		}
	}
}

func recipientOf(names []string, address int, record []string) (Recipient, error) {
	r := Recipient{Address: strings.TrimSpace(record[address]), Data: make(map[string]string, len(names))}
	for i, name := range names {
		if !utf8.ValidString(record[i]) {
			return r, fmt.Errorf("column %q is not UTF-8", name)
		}
		if name != "" && i != address && record[i] != "" {
			r.Data[name] = record[i]
		}
	}
	if !strings.Contains(r.Address, "@") {
		return r, errors.New("there is no address")
	}
	return r, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	return err
}
