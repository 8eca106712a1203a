package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

// maxFile is how much of a file is read: an mbox may be large, but all of it
// is held in memory.
const maxFile = 256 << 20

// read parses files and what lies in directories, and prints what they say.
func read(o options, names []string, out io.Writer) error {
	parser := bounce.Parser{OwnRelays: o.relays}
	var lines []line
	for _, name := range names {
		files, err := filesOf(name)
		if err != nil {
			return err
		}
		for _, file := range files {
			l, err := readFile(parser, file)
			if err != nil {
				return err
			}
			if o.json {
				if err := json.NewEncoder(out).Encode(l); err != nil {
					return err
				}
				continue
			}
			lines = append(lines, l)
		}
	}
	if o.json {
		return nil
	}
	return table(out, lines)
}

// filesOf lists a directory's .eml and .mbox files and, in a Maildir, what is
// in cur and new. A file stands for itself.
func filesOf(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		switch filepath.Base(filepath.Dir(path)) {
		case "cur", "new":
			files = append(files, path)
		default:
			if ext := strings.ToLower(filepath.Ext(path)); ext == ".eml" || ext == ".mbox" {
				files = append(files, path)
			}
		}
		return nil
	})
	return files, err
}

// readFile reads one file. The messages of an mbox share one line.
func readFile(parser bounce.Parser, name string) (line, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return line{}, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile))
	if err != nil {
		return line{}, err
	}
	l := line{File: name, Kind: kindName(bounce.NotABounce), Recipients: []recipient{}}
	gravest := bounce.NotABounce
	for _, message := range splitMbox(data) {
		report, err := parser.Parse(bytes.NewReader(message))
		if err != nil {
			return line{}, fmt.Errorf("%s: %w", name, err)
		}
		if report.Kind >= gravest {
			gravest = report.Kind
			l.Kind = kindName(gravest)
		}
		if l.FeedbackType == "" {
			l.FeedbackType = report.FeedbackType
		}
		for _, r := range report.Recipients {
			l.Recipients = append(l.Recipients, recipientLine(r))
		}
	}
	return l, nil
}

// splitMbox splits at "From " lines that precede a header (RFC 4155); not all
// writers leave an empty line before them. What does not start with one is a
// single message. The lines of a whole mbox may end with CR.
func splitMbox(data []byte) [][]byte {
	if bytes.IndexByte(data, '\n') < 0 {
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	if !bytes.HasPrefix(data, []byte("From ")) {
		return [][]byte{data}
	}
	var messages [][]byte
	start := 0
	for pos := 1; ; {
		i := bytes.Index(data[pos:], []byte("\nFrom "))
		if i < 0 {
			return append(messages, data[start:])
		}
		pos += i + 1
		if isFromLine(data[pos:]) {
			messages = append(messages, data[start:pos])
			start = pos
		}
	}
}

// isFromLine: "From address Thu Jan  1 00:00:00 1970", and a header field next.
func isFromLine(data []byte) bool {
	first, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || len(bytes.Fields(first)) < 6 || bytes.Count(first, []byte(":")) < 2 {
		return false
	}
	next, _, _ := bytes.Cut(rest, []byte("\n"))
	name, _, ok := bytes.Cut(next, []byte(":"))
	return ok && len(name) > 0 && bytes.IndexByte(name, ' ') < 0
}

// line is the JSON of one file.
type line struct {
	File         string      `json:"file"`
	Kind         string      `json:"kind"` // bounce, delayed, delivered, complaint, unsubscribe, autoreply, none
	Recipients   []recipient `json:"recipients"`
	FeedbackType string      `json:"feedback_type,omitempty"`
}

type recipient struct {
	Recipient string `json:"recipient"`
	Action    string `json:"action"`
	Status    string `json:"status"`
	Code      int    `json:"code"`
	Hard      bool   `json:"hard"` // the mailbox or its host does not exist or has moved
	Category  string `json:"category"`
}

func recipientLine(r bounce.Recipient) recipient {
	return recipient{r.Address, r.Action, r.Status, r.Code, r.Hard(), r.Category.String()}
}

func kindName(k bounce.Kind) string {
	switch k {
	case bounce.Failed:
		return "bounce"
	case bounce.Delayed:
		return "delayed"
	case bounce.Delivered, bounce.Relayed, bounce.Expanded:
		return "delivered"
	case bounce.Complaint:
		return "complaint"
	case bounce.Unsubscribe:
		return "unsubscribe"
	case bounce.AutoReply:
		return "autoreply"
	}
	return "none"
}

// table prints a row for each recipient.
func table(out io.Writer, lines []line) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tKIND\tRECIPIENT\tACTION\tSTATUS\tCODE\tHARD\tCATEGORY")
	for _, l := range lines {
		kind := l.Kind
		if l.FeedbackType != "" {
			kind += " (" + printable(l.FeedbackType) + ")"
		}
		if len(l.Recipients) == 0 {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\t\n", l.File, kind)
		}
		for _, r := range l.Recipients {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%v\t%s\n", l.File, kind, printable(r.Recipient), r.Action, r.Status, r.Code, r.Hard, r.Category)
		}
	}
	return w.Flush()
}

// printable keeps remote text from playing with the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
