package mxtest

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// dsnDate is the form of dates in Postfix's notifications.
const dsnDate = "Mon, _2 Jan 2006 15:04:05 -0700 (MST)"

// writeDSN writes a notification as Postfix 3.7 does (bounce(8), RFC 3464).
func (e *engine) writeDSN(now time.Duration, r *Relay, c int32, action string, about []int32, id string) []byte {
	cp := &e.copies[c]
	box := &e.mails[cp.mail]
	date := e.stamp(now).UTC()
	boundary := fmt.Sprintf("%s.%d/%s", queueID(cp.number), date.Unix(), r.name)
	var b bytes.Buffer
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\r\n")
	}
	subject := map[string]string{"failed": "Undelivered Mail Returned to Sender", "delayed": "Delayed Mail (still being retried)"}[action]
	if subject == "" {
		subject = "Successful Mail Delivery Report"
	}
	line("Received: by %s (Postfix)\r\n\tid %s; %s", r.name, id, date.Format(dsnDate))
	line("Date: %s", date.Format(dsnDate))
	line("From: Mail Delivery System <MAILER-DAEMON@%s>", r.name)
	line("Subject: %s", subject)
	line("To: %s", box.returnPath)
	line("Auto-Submitted: auto-replied")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"", boundary)
	line("Content-Transfer-Encoding: 8bit")
	line("Message-Id: <%s.%s@%s>", date.Format("20060102150405"), id, r.name)
	line("\r\nThis is a MIME-encapsulated message.\r\n\r\n--%s", boundary)
	line("Content-Description: Notification\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
	line("This is the mail system at host %s.\r\n", r.name)
	e.explainDSN(&b, r, action)
	for _, rc := range about {
		line("")
		fold(&b, "<"+e.rcpts[rc].address+">: "+e.reasons[e.rcpts[rc].reason].String())
	}
	report, whole, head := "message/delivery-status", "message/rfc822", "text/rfc822-headers"
	if box.utf8 { // RFC 6533
		report, whole, head = "message/global-delivery-status", "message/global", "message/global-headers"
	}
	line("\r\n--%s\r\nContent-Description: Delivery report\r\nContent-Type: %s\r\n", boundary, report)
	line("Reporting-MTA: dns; %s", r.name)
	if box.envelopeID != "" {
		line("Original-Envelope-Id: %s", box.envelopeID)
	}
	line("X-Postfix-Queue-ID: %s", queueID(cp.number))
	line("X-Postfix-Sender: rfc822; %s", box.returnPath)
	line("Arrival-Date: %s", e.stamp(cp.arrival).UTC().Format(dsnDate))
	for _, rc := range about {
		line("")
		e.recipientDSN(&b, r, action, cp.arrival, &e.rcpts[rc])
	}
	headers := box.headers || action != "failed"
	if headers {
		line("\r\n--%s\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: %s", boundary, head)
	} else {
		line("\r\n--%s\r\nContent-Description: Undelivered Message\r\nContent-Type: %s", boundary, whole)
	}
	line("Content-Transfer-Encoding: 8bit\r\n")
	line("Return-Path: <%s>", box.returnPath)
	b.Write(e.received(c))
	content := box.content
	if headers {
		content, _, _ = bytes.Cut(content, []byte("\r\n\r\n"))
		b.Write(bytes.TrimRight(content, "\r\n"))
		line("")
	} else {
		b.Write(content)
		if !bytes.HasSuffix(content, []byte("\r\n")) {
			line("")
		}
	}
	line("\r\n--%s--", boundary)
	return b.Bytes()
}

// explainDSN writes the text for people.
func (e *engine) explainDSN(b *bytes.Buffer, r *Relay, action string) {
	text := `I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.
`
	switch action {
	case "delayed":
		text = fmt.Sprintf(`####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than %d hour(s).
It will be retried until it is %d day(s) old.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.
`, int(r.cfg.DelayWarningTime.Hours()), int(r.cfg.MaximalQueueLifetime.Hours()/24))
	case "relayed", "delivered":
		text = `Your message was successfully delivered to the destination(s)
listed below. If the message was delivered to mailbox you will
receive no further notifications. Otherwise you may still receive
notifications of mail delivery errors from other systems.
`
	}
	b.WriteString(strings.ReplaceAll(text+"\n                   The mail system\n", "\n", "\r\n"))
}

// recipientDSN writes the fields of one recipient (RFC 3464 §2.3).
func (e *engine) recipientDSN(b *bytes.Buffer, r *Relay, action string, arrival time.Duration, to *rcptRec) {
	why := e.reasons[to.reason]
	fmt.Fprintf(b, "Final-Recipient: rfc822; %s\r\n", to.address)
	original := to.original
	if original == "" {
		original = "rfc822;" + to.address
	}
	fmt.Fprintf(b, "Original-Recipient: %s\r\n", original)
	fmt.Fprintf(b, "Action: %s\r\nStatus: %s\r\n", action, why.status)
	if why.host != "" {
		fmt.Fprintf(b, "Remote-MTA: dns; %s\r\n", why.host)
		fold(b, "Diagnostic-Code: smtp; "+why.reply)
	} else {
		fold(b, "Diagnostic-Code: X-Postfix; "+why.reply)
	}
	if action == "delayed" {
		fmt.Fprintf(b, "Will-Retry-Until: %s\r\n", e.stamp(arrival+r.cfg.MaximalQueueLifetime).UTC().Format(dsnDate))
	}
}

// fold writes text in lines of at most 79 octets where it has spaces, continued by four of them.
func fold(b *bytes.Buffer, text string) {
	width := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case width+1+len(word) > 79:
			b.WriteString("\r\n    ")
			width = 4
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	b.WriteString("\r\n")
}

// received writes the Received fields of a copy, its own first.
func (e *engine) received(c int32) []byte {
	var b bytes.Buffer
	for c >= 0 {
		cp := &e.copies[c]
		box := &e.mails[cp.mail]
		r := e.relays[cp.relay]
		if box.note != nil {
			break // it begins with the field its relay gave it
		}
		from, addr, with := box.client, box.clientAddr, "SMTP"
		switch {
		case cp.parent >= 0:
			parent := e.relays[e.copies[cp.parent].relay]
			from, addr, with = parent.name, parent.ip, "ESMTP"
		case box.esmtp && box.tls && box.user != "":
			with = "ESMTPSA"
		case box.esmtp && box.tls:
			with = "ESMTPS"
		case box.esmtp:
			with = "ESMTP"
		}
		fmt.Fprintf(&b, "Received: from %s (unknown [%s])\r\n\tby %s (Postfix) with %s id %s", from, addr, r.name, with, queueID(cp.number))
		date := e.stamp(cp.arrival).UTC().Format(dsnDate)
		if len(cp.rcpts) == 1 {
			fmt.Fprintf(&b, "\r\n\tfor <%s>; %s\r\n", e.rcpts[cp.rcpts[0]].address, date)
		} else {
			fmt.Fprintf(&b, ";\r\n\t%s\r\n", date)
		}
		c = cp.parent
	}
	return b.Bytes()
}
