package main

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"strconv"
	"strings"
)

//go:embed recipients.csv
var recipientsCSV []byte

//go:embed newsletter.eml
var newsletter []byte

// A recipient is a line of the CSV file.
type recipient struct {
	id            uint64 // goes into the return path, and is how a bounce finds its way back
	name, address string
}

// loadRecipients reads n recipients. Where there are fewer lines, they come again with other ids and a "+2" and so on
// in their address.
func loadRecipients(file string, n int) ([]recipient, error) {
	data, name := recipientsCSV, "recipients.csv"
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return nil, err
		}
		name = file
	}
	all, err := parseRecipients(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := make([]recipient, 0, n)
	for i := range n {
		r := all[i%len(all)]
		if round := i / len(all); round > 0 {
			local, domain, _ := strings.Cut(r.address, "@")
			r.address = local + "+" + strconv.Itoa(round+1) + "@" + domain
		}
		r.id = uint64(i + 1)
		out = append(out, r)
	}
	return out, nil
}

// parseRecipients refuses what it does not understand, and names the line.
func parseRecipients(r io.Reader) ([]recipient, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = 3
	var all []recipient
	seen := map[string]int{}
	for {
		fields, err := lines.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w (wanted: id,name,address)", err)
		}
		line, _ := lines.FieldPos(0)
		if len(all) == 0 && fields[0] == "id" {
			continue
		}
		id, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: the id %q is not a number", line, fields[0])
		}
		address, err := mail.ParseAddress(fields[2])
		if err != nil || address.Address != fields[2] {
			return nil, fmt.Errorf("line %d: the third field is not a plain address like user@example.com", line)
		}
		if strings.ContainsAny(fields[1], "\r\n\x00") {
			return nil, fmt.Errorf("line %d: the name has a line break or NUL", line)
		}
		if before := seen[fields[2]]; before > 0 {
			return nil, fmt.Errorf("line %d: the same address as in line %d", line, before)
		}
		seen[fields[2]] = line
		all = append(all, recipient{id, fields[1], fields[2]})
	}
	if len(all) == 0 {
		return nil, errors.New("no recipients")
	}
	return all, nil
}

// A template is the mail before it is made anyone's.
type template struct {
	header []string // fields with their folded lines, but for those that are each recipient's own
	body   []byte   // with CRLF line ends, and the empty line before it
	from   *mail.Address
}

func loadTemplate(file string) (*template, error) {
	data, name := newsletter, "newsletter.eml"
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return nil, err
		}
		name = file
	}
	t, err := parseTemplate(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func parseTemplate(data []byte) (*template, error) {
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not a mail: %w", err)
	}
	from := m.Header.Get("From")
	if from == "" {
		return nil, errors.New("the mail has no From field: add one, as in \"From: Shop <news@shop.test>\"")
	}
	t := &template{}
	if t.from, err = mail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("the mail's From field: %w", err)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n", "\r\n")
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	t.body = []byte("\r\n" + body)
	own := false
	for line := range strings.SplitAfterSeq(header+"\r\n", "\r\n") {
		if line == "" {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := strings.Cut(line, ":")
			switch strings.ToLower(name) {
			case "to", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post":
				own = true
			default:
				own = false
			}
		}
		if !own {
			t.header = append(t.header, line)
		}
	}
	return t, nil
}
