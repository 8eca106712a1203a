package bounce

import (
	"bufio"
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPolicy(t *testing.T) {
	codec := testCodec(t)
	genuine, _ := codec.Encode([]byte{1})
	r := &Receiver{Codec: codec, Feedback: []string{"fbl@fbl.example.com"}, Handle: func(context.Context, Event) error { return nil }}
	address := serveOn(t, r.ServePolicy)
	t.Cleanup(func() { r.Close() })
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for _, tt := range []struct{ name, recipient, want string }{
		{"genuine", genuine, "DUNNO"},
		{"genuine in upper case", strings.ToUpper(genuine), "DUNNO"},
		{"forged", "b+a" + strings.TrimPrefix(genuine, "b+"), "550 5.7.1 "},
		{"foreign", "jane@bounce.example.com", "550 5.1.1 "},
		{"another domain", "jane@example.net", "DUNNO"},
		{"no domain", "jane", "DUNNO"},
		{"feedback", "FBL@fbl.example.com", "DUNNO"},
		{"not the feedback address", "jane@fbl.example.com", "550 5.1.1 "},
		{"postmaster", "postmaster@bounce.example.com", "DUNNO"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=\nrecipient=" + tt.recipient + "\nclient_address=192.0.2.1\n\n"
			if _, err := c.Write([]byte(request)); err != nil {
				t.Fatal(err)
			}
			got, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if empty, err := in.ReadString('\n'); err != nil || empty != "\n" {
				t.Fatalf("after the action: %q, %v", empty, err)
			}
			if !strings.HasPrefix(got, "action="+tt.want) {
				t.Errorf("got %q, want action=%s", got, tt.want)
			}
		})
	}
}

func TestPolicyHangsUp(t *testing.T) {
	r := &Receiver{Codec: testCodec(t), Timeout: 5 * time.Second, Handle: func(context.Context, Event) error { return nil }}
	address := serveOn(t, r.ServePolicy)
	t.Cleanup(func() { r.Close() })
	for name, request := range map[string]string{
		"another protocol": "GET / HTTP/1.1\n\n",
		"an endless line":  strings.Repeat("a", 10_000),
		"endless lines":    strings.Repeat("a=b\n", 1_000),
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = c.Write([]byte(request))
		if b, err := bufio.NewReader(c).ReadByte(); err == nil {
			t.Errorf("%s: answered with %q", name, b)
		}
		c.Close()
	}
}

// TestDocumentedConfiguration: the package's documentation shows the
// configurations that TestPostfix runs.
func TestDocumentedConfiguration(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"policy.cf", "verify.cf"} {
		for l := range strings.SplitSeq(strings.TrimSpace(string(testdata(t, "postfix/"+name))), "\n") {
			if !strings.Contains(string(doc), "//\t"+l+"\n") {
				t.Errorf("%s: %q is not in doc.go", name, l)
			}
		}
	}
}
