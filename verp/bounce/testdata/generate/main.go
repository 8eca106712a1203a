// Command generate is the destination that generate.sh lets mail systems
// deliver to: it answers each recipient as its local part says, and writes the
// bounces that come back to files.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// replies by the local part of a recipient. A reply to "." comes after the mail.
var replies = map[string]struct{ at, reply string }{
	"unknown":  {"RCPT", "550 5.1.1 <RCPT>: Recipient address rejected: User unknown"},
	"bare":     {"RCPT", "550 no such user here"},
	"full":     {"RCPT", "552 5.2.2 <RCPT>: Mailbox full"},
	"disabled": {"RCPT", "550-5.2.1 The account of <RCPT>\r\n550 5.2.1 is disabled"},
	"policy":   {"RCPT", "554 5.7.1 Client host blocked using bl.example.test"},
	"sender":   {"MAIL", "553 5.1.8 Sender domain does not exist"},
	"content":  {".", "554 5.7.1 Message refused as spam"},
	"later":    {"RCPT", "451 4.7.1 Greylisted, come back later"},
	"wait":     {"RCPT", "450 4.2.1 <RCPT>: mailbox is busy, come back later"},
	"listed":   {"RCPT", "550 Your address is on our blacklist"},
}

func main() {
	listen := flag.String("listen", "127.0.0.2:25", "address")
	dir := flag.String("dir", ".", "where bounces are written")
	name := flag.String("name", "mta", "prefix of their names")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c, *dir, *name)
	}
}

// serve speaks just enough SMTP for one client.
func serve(c net.Conn, dir, name string) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(s string) { fmt.Fprintf(c, "%s\r\n", s) }
	say("220 mx.dest.test ESMTP")
	var from, rcpt string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(strings.TrimSpace(line))
		switch {
		case strings.HasPrefix(verb, "EHLO"):
			say("250-mx.dest.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES")
		case strings.HasPrefix(verb, "MAIL"):
			from, rcpt = address(line), ""
			if strings.HasPrefix(from, "sender-") {
				say(replies["sender"].reply)
				continue
			}
			say("250 2.1.0 Ok")
		case strings.HasPrefix(verb, "RCPT"):
			a := address(line)
			local, _, _ := strings.Cut(a, "@")
			if r := replies[local]; r.at == "RCPT" {
				say(strings.ReplaceAll(r.reply, "RCPT", a))
				continue
			}
			rcpt = local
			say("250 2.1.5 Ok")
		case strings.HasPrefix(verb, "DATA"):
			if rcpt == "" {
				say("554 5.5.1 No valid recipients")
				continue
			}
			say("354 Go ahead")
			mail, err := content(in)
			if err != nil {
				return
			}
			if r := replies[rcpt]; r.at == "." {
				say(r.reply)
				continue
			}
			if from == "" || rcpt == "return" {
				save(dir, name, mail)
			}
			say("250 2.0.0 Ok")
		case strings.HasPrefix(verb, "QUIT"):
			say("221 2.0.0 Bye")
			return
		default:
			say("250 2.0.0 Ok")
		}
	}
}

func address(line string) string {
	i, j := strings.IndexByte(line, '<'), strings.IndexByte(line, '>')
	if i < 0 || j < i {
		return ""
	}
	return line[i+1 : j]
}

// content reads a mail up to the final dot.
func content(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if strings.TrimRight(line, "\r\n") == "." {
			return b.String(), nil
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

var original = regexp.MustCompile(`<case\.([a-z-]+)@app\.test>`)

// save writes a bounce, named for the mail it is about.
func save(dir, name, mail string) {
	m := original.FindStringSubmatch(mail)
	if m == nil {
		return
	}
	kind := ""
	if !strings.Contains(mail, "\nAction: failed") && (strings.Contains(mail, "\nAction: relayed") || strings.Contains(mail, "\nAction: delivered")) {
		kind = "-success"
	}
	if strings.Contains(mail, "Action: delayed") || strings.Contains(mail, "Warning") || strings.Contains(mail, "warning") {
		kind = "-warning"
	}
	file := filepath.Join(dir, name+"-"+m[1]+kind+".eml")
	if err := os.WriteFile(file, []byte(mail), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
