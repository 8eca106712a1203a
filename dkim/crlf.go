package dkim

import "github.com/mxsend/go-mxsend/internal/smtpwire"

// ToCRLF returns content with every bare LF turned into CRLF. Where there is none it returns content
// itself; it never modifies it. A bare CR stays, for Sign to refuse: nobody knows what it was meant
// to be.
func ToCRLF(content []byte) []byte { return smtpwire.ToCRLF(content) }
