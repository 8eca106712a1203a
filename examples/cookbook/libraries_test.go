package cookbook

import (
	"bytes"
	"strings"
	"testing"

	gomail "github.com/wneessen/go-mail"
	oldgomail "gopkg.in/gomail.v2"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func fromGoMail(m *gomail.Msg, returnPath string) (*mxsend.Message, error) {
	recipients, err := m.GetRecipients() // of To, Cc and Bcc, in angle brackets
	if err != nil {
		return nil, err
	}
	for i := range recipients {
		recipients[i] = strings.Trim(recipients[i], "<>")
	}
	var content bytes.Buffer
	if _, err := m.WriteTo(&content); err != nil {
		return nil, err
	}
	return &mxsend.Message{ReturnPath: returnPath, Recipients: recipients, Content: content.Bytes()}, nil
}

func fromGomail(m *oldgomail.Message, returnPath string, recipients ...string) (*mxsend.Message, error) {
	var content bytes.Buffer
	if _, err := m.WriteTo(&content); err != nil {
		return nil, err
	}
	return &mxsend.Message{ReturnPath: returnPath, Recipients: recipients, Content: content.Bytes()}, nil
}

func TestLibraries(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	client := newClient(t, cluster, nil)
	send := func(t *testing.T, m *mxsend.Message, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		mails := cluster.Ledger().FindRecipient(m.Recipients[0])
		if len(mails) != 1 {
			t.Fatalf("%d mails at the relays", len(mails))
		}
		return string(mails[0].Content)
	}
	t.Run("go-mail", func(t *testing.T) {
		m := gomail.NewMsg()
		for _, err := range []error{m.From("Shop <shop@example.com>"), m.To("jörn@example.net", "jane@example.net"), m.Bcc("archive@example.com")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		m.Subject("Grüße")
		m.SetBodyString(gomail.TypeTextPlain, "Ünïcode\n")
		message, err := fromGoMail(m, "b+1@bounce.example.com")
		content := send(t, message, err)
		if len(message.Recipients) != 3 || strings.Contains(content, "archive@") || !strings.Contains(content, "Subject: =?UTF-8?") {
			t.Errorf("got %q for %q", content, message.Recipients)
		}
	})
	t.Run("gomail", func(t *testing.T) {
		m := oldgomail.NewMessage()
		m.SetHeader("From", "shop@example.com")
		m.SetHeader("To", "joe@example.net")
		m.SetHeader("Subject", "Grüße")
		m.SetBody("text/html", "<p>Hello</p>")
		message, err := fromGomail(m, "b+2@bounce.example.com", "joe@example.net")
		if content := send(t, message, err); !strings.Contains(content, "<p>Hello</p>") {
			t.Errorf("got %q", content)
		}
	})
	t.Run("net/smtp", func(t *testing.T) {
		from, to, msg := "b+3@bounce.example.com", []string{"jim@example.net"}, []byte(mail)
		_, err := client.Send(t.Context(), &mxsend.Message{ReturnPath: from, Recipients: to, Content: msg})
		if err != nil {
			t.Fatal(err)
		}
	})
}
