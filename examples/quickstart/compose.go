package main

import (
	"bytes"
	"fmt"
	"net/mail"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/verp"
)

// compose makes the template one recipient's own: its To, a one-click List-Unsubscribe, and a return path and
// Message-ID that both carry its id under a signature.
func (t *template) compose(codec *verp.Codec, r recipient, date time.Time) (*mxsend.Message, error) {
	id := verp.FromUint64(r.id)
	returnPath, err := codec.Encode(id)
	if err != nil {
		return nil, err
	}
	messageID, err := codec.MessageID(id)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(2048 + len(t.body))
	for _, line := range t.header {
		b.WriteString(line)
	}
	fmt.Fprintf(&b, "To: %s\r\n", &mail.Address{Name: r.name, Address: r.address})
	fmt.Fprintf(&b, "Date: %s\r\n", date.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "Message-ID: %s\r\n", messageID)
	fmt.Fprintf(&b, "List-Unsubscribe: <https://shop.test/unsubscribe/%d>,\r\n <mailto:%s?subject=unsubscribe>\r\n", r.id, returnPath)
	b.WriteString("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
	b.Write(t.body)
	return &mxsend.Message{
		ReturnPath: returnPath,
		Recipients: []string{r.address},
		Content:    b.Bytes(),
		Ref:        fmt.Sprintf("recipient %d", r.id),
	}, nil
}
