// Command sign reads a mail from standard input, signs it, and writes it to standard output with its
// DKIM-Signature fields:
//
//	go run ./examples/sign -domain example.org -selector s1 -key s1.pem < in.eml > out.eml
//
// -selector and -key may be repeated, in pairs, for one signature each. Line ends of LF become CRLF
// first. A mail that a relay or a verifier would break is refused: the reason goes to standard error
// and the exit status is 2 (seen when the command is built; go run itself ends with 1). -prepare
// mends what can be mended beforehand.
//
// -record prints the TXT records to publish instead, as they stand in a zone file, and reads nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/examples/internal/command"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitRefused = 2
)

const about = `sign reads a mail from standard input and writes it, signed, to standard output.

  openssl genrsa -out s1.pem 2048 && chmod 600 s1.pem
  sign -domain example.org -selector s1 -key s1.pem -record                  what to publish in DNS
  sign -domain example.org -selector s1 -key s1.pem < in.eml > out.eml
  sign -prepare -domain example.org -selector s1 -key s1.pem < in.eml        completes Date and Message-ID first

Exit status: 0 signed, 1 failed, 2 refused: a relay or a verifier would break the signature.`

type options struct {
	domain          string
	selectors, keys []string
	record, prepare bool
}

func run(args []string, in io.Reader, out, report io.Writer) int {
	o, err := parse(args, report)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil {
		err = o.do(in, out)
	}
	if err != nil {
		fmt.Fprintln(report, "sign:", err)
	}
	switch {
	case errors.Is(err, dkim.ErrRefused):
		return exitRefused
	case err != nil:
		return exitFailed
	}
	return exitOK
}

func parse(args []string, report io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("sign", flag.ContinueOnError)
	flags.StringVar(&o.domain, "domain", "", "signing `domain` (d=)")
	flags.Func("selector", "`selector` of the key at the same place (repeatable)", appendTo(&o.selectors))
	flags.Func("key", "private key `file`, PEM, mode 0600 (repeatable)", appendTo(&o.keys))
	flags.BoolVar(&o.record, "record", false, "print the TXT records instead of signing")
	flags.BoolVar(&o.prepare, "prepare", false, "complete the mail and encode what relays would change before signing")
	if err := command.Parse(flags, args, about, report); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, errors.New("the mail is read from standard input; give flags only")
	case o.domain == "" || len(o.keys) == 0:
		return nil, errors.New("give -domain, -selector and -key")
	case len(o.keys) != len(o.selectors):
		return nil, fmt.Errorf("%d -key but %d -selector: each key needs its selector", len(o.keys), len(o.selectors))
	}
	return o, nil
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

func (o *options) do(in io.Reader, out io.Writer) error {
	cfg := dkim.Config{Domain: o.domain}
	for i, path := range o.keys {
		key, err := dkim.LoadKey(path)
		if err != nil {
			return err
		}
		cfg.Keys = append(cfg.Keys, dkim.Key{Selector: o.selectors[i], Signer: key})
	}
	signer, err := dkim.NewSigner(cfg)
	if err != nil {
		return err
	}
	if o.record {
		return printRecords(out, signer.Domain(), cfg.Keys)
	}
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	signed, err := o.sign(signer, content)
	if err != nil {
		return err
	}
	_, err = out.Write(signed)
	return err
}

// sign returns the mail with its signatures, which were verified once more by another implementation.
func (o *options) sign(signer *dkim.Signer, content []byte) (signed []byte, err error) {
	content = lineEnds(content)
	if o.prepare {
		if content, err = dkim.Prepare(content, dkim.PrepareOptions{Encode: true}); err != nil {
			return nil, err
		}
	}
	fields, err := signer.Sign(context.Background(), content)
	if err != nil {
		return nil, err
	}
	signed = append(fields, content...)
	return signed, signer.Verify(signed)
}

// lineEnds ends every line in CRLF, as mail has it.
func lineEnds(content []byte) []byte {
	return []byte(strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n").Replace(string(content)))
}

// printRecords prints each record on a line of its own.
func printRecords(out io.Writer, domain string, keys []dkim.Key) error {
	for _, k := range keys {
		value, err := dkim.Record(k.Signer.Public())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s._domainkey.%s. IN TXT %s\n", k.Selector, domain, zoneStrings(value)); err != nil {
			return err
		}
	}
	return nil
}

// zoneStrings writes value for a zone file: DNS has strings of at most 255 octets, and a longer value
// is several in one record, joined without anything between them (RFC 6376 §3.6.2.2).
func zoneStrings(value string) string {
	const longest = 255
	var quoted []string
	for len(value) > longest {
		quoted = append(quoted, `"`+value[:longest]+`"`)
		value = value[longest:]
	}
	quoted = append(quoted, `"`+value+`"`)
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "( " + strings.Join(quoted, " ") + " )"
}
