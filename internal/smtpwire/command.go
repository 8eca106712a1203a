package smtpwire

import "strconv"

// MailParams are the parameters of MAIL. Zero values are left out.
type MailParams struct {
	Size       int64  // SIZE=, octets of content as it will be sent, RFC 1870
	EightBit   bool   // BODY=8BITMIME, RFC 6152
	SMTPUTF8   bool   // RFC 6531
	RequireTLS bool   // RFC 8689
	Ret        string // RET=, FULL or HDRS, RFC 3461
	EnvID      string // ENVID=, written as xtext
}

// RcptParams are the parameters of RCPT. Zero values are left out.
type RcptParams struct {
	Notify string // NOTIFY=, RFC 3461
	ORcpt  string // ORCPT=rfc822;, written as xtext
}

// AppendMail appends the MAIL command for a return path.
func AppendMail(b []byte, returnPath Mailbox, p MailParams) []byte {
	b = append(b, "MAIL FROM:<"...)
	b = append(b, returnPath.path...)
	b = append(b, '>')
	if p.Size > 0 {
		b = append(b, " SIZE="...)
		b = strconv.AppendInt(b, p.Size, 10)
	}
	if p.EightBit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if p.SMTPUTF8 {
		b = append(b, " SMTPUTF8"...)
	}
	if p.RequireTLS {
		b = append(b, " REQUIRETLS"...)
	}
	if p.Ret != "" {
		b = append(append(b, " RET="...), p.Ret...)
	}
	if p.EnvID != "" {
		b = AppendXtext(append(b, " ENVID="...), p.EnvID)
	}
	return append(b, '\r', '\n')
}

// AppendRcpt appends the RCPT command for a recipient.
func AppendRcpt(b []byte, recipient Mailbox, p RcptParams) []byte {
	b = append(b, "RCPT TO:<"...)
	b = append(b, recipient.path...)
	b = append(b, '>')
	if p.Notify != "" {
		b = append(append(b, " NOTIFY="...), p.Notify...)
	}
	if p.ORcpt != "" {
		b = AppendXtext(append(b, " ORCPT=rfc822;"...), p.ORcpt)
	}
	return append(b, '\r', '\n')
}

// AppendXtext appends s encoded as xtext (RFC 3461 §4): "+", "=" and whatever
// is outside "!" to "~" as +HH. No octet of s can end a parameter or a command.
func AppendXtext(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			b = append(b, '+', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
