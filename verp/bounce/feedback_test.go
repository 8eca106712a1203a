package bounce

import (
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mxsend/go-mxsend/verp"
)

const testComplaint = "From: feedback@provider.example\r\nTo: fbl@bounce.example.com\r\nSubject: complaint\r\n" +
	"Content-Type: multipart/report; report-type=feedback-report; boundary=fb\r\n\r\n" +
	"--fb\r\nContent-Type: text/plain\r\n\r\nSomebody called this spam. See http://TRAP/report\r\n" +
	"--fb\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: Provider/1.0\r\nVersion: 1\r\n" +
	"Original-Mail-From: <MAILFROM>\r\nOriginal-Rcpt-To: <redacted@provider.example>\r\nReported-Uri: http://TRAP/\r\n\r\n" +
	"--fb\r\nContent-Type: message/rfc822\r\n\r\nReturn-Path: <RETURNPATH>\r\nFrom: shop@example.com\r\nMessage-ID: MESSAGEID\r\n" +
	"List-Unsubscribe: <http://TRAP/u>, <mailto:UNSUBSCRIBE>\r\nSubject: News\r\n\r\nHello\r\n--fb--\r\n"

// trap counts connections.
type trap struct {
	l net.Listener
	n atomic.Int32
}

func newTrap(t *testing.T) *trap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{l: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.n.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return tr
}

func (t *trap) address() string  { return t.l.Addr().String() }
func (t *trap) connections() int { return int(t.n.Load()) }

func TestFeedbackIsJoined(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode(verp.FromUint64(4711))
	messageID, _ := codec.MessageID(verp.FromUint64(4711))
	local, domain, _ := strings.Cut(returnPath, "@")
	srs := "SRS0=abcd=2K=" + domain + "=" + local + "@forwarder.example"
	forged := "b+aaaaaaaaaaaaaaaaaaaaaaaaaa@bounce.example.com"
	tests := []struct {
		name                                         string
		mailFrom, returnPath, messageID, unsubscribe string
		want                                         Verdict
	}{
		{"Original-Mail-From", returnPath, "", "<x@example.com>", "u@example.com", Valid},
		{"Original-Mail-From in upper case", strings.ToUpper(returnPath), "", "<x@example.com>", "u@example.com", Valid},
		{"Return-Path", "", returnPath, "<x@example.com>", "u@example.com", Valid},
		{"Return-Path of a forwarder", "", srs, "<x@example.com>", "u@example.com", Valid},
		{"Message-ID", "", "", messageID, "u@example.com", Valid},
		{"Message-ID where the return path is another's", "jane@provider.example", "jane@provider.example", messageID, "u@example.com", Valid},
		{"List-Unsubscribe", "", "", "<x@example.com>", returnPath, Valid},
		{"List-Unsubscribe, mailto with a subject", "", "", "<x@example.com>", returnPath + "?subject=stop", Valid},
		{"List-Unsubscribe, path of https", "", "", "<x@example.com>", "u@example.com>, <https://news.example.com/u/" + returnPath + "?one=click", Valid},
		{"List-Unsubscribe, query of https, encoded", "", "", "<x@example.com>", "u@example.com>, <https://news.example.com/u?r=" + url.QueryEscape(returnPath) + "&list=7", Valid},
		{"redacted", "", "", "<x@example.com>", "u@example.com", Unverified},
		{"forged", forged, forged, "<x@example.com>", forged, Unverified},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e events
			c := start(t, &Receiver{Codec: codec, Feedback: []string{"fbl@bounce.example.com"}, Handle: e.handle}, true)
			message := strings.NewReplacer("MAILFROM", tt.mailFrom, "RETURNPATH", tt.returnPath, "MESSAGEID", tt.messageID, "UNSUBSCRIBE", tt.unsubscribe).Replace(testComplaint)
			if err := submit(c, "FBL@bounce.example.com", []byte(message)); err != nil {
				t.Fatal(err)
			}
			got := e.got[0]
			if id, ok := got.Token.Uint64(); got.Verdict != tt.want || ok != (tt.want == Valid) || ok && id != 4711 {
				t.Errorf("verdict %v, token %x; want %v", got.Verdict, got.Token.ID, tt.want)
			}
			if got.Report.Kind != Complaint || got.Report.FeedbackType != "abuse" {
				t.Errorf("kind %v, type %q", got.Report.Kind, got.Report.FeedbackType)
			}
			if len(got.Report.Recipients) != 1 || got.Report.Recipients[0].Address != "redacted@provider.example" {
				t.Errorf("recipients %+v", got.Report.Recipients)
			}
		})
	}
}

func TestFeedbackTypes(t *testing.T) {
	for feedbackType, want := range map[string]Kind{
		"abuse": Complaint, "ABUSE": Complaint, "fraud": Complaint, "virus": Complaint, "opt-out": Complaint, "other": Complaint, "": Complaint, "x-new": Complaint,
		"not-spam": NotABounce, "auth-failure": NotABounce,
	} {
		r, err := Parse(strings.NewReader(strings.Replace(testComplaint, "Feedback-Type: abuse", "Feedback-Type: "+feedbackType, 1)))
		if err != nil || r.Kind != want {
			t.Errorf("%q: kind %v, %v; want %v", feedbackType, r.Kind, err, want)
		}
	}
}

func TestHumansGetTheirMailUnparsed(t *testing.T) {
	var e events
	c := start(t, &Receiver{Codec: testCodec(t), Feedback: []string{"fbl@fbl.example.com"}, Handle: e.handle}, true)
	for _, to := range []string{"postmaster@bounce.example.com", "Abuse@Bounce.Example.Com", "abuse@fbl.example.com"} {
		if err := submit(c, to, []byte(testComplaint)); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
	}
	for _, ev := range e.got {
		if ev.Report != nil || ev.Verdict != Unverified || !strings.Contains(string(ev.Raw), "Feedback-Type: abuse") {
			t.Errorf("event for %s: report %v, verdict %v, %d octets", ev.Recipient, ev.Report, ev.Verdict, len(ev.Raw))
		}
	}
	if got := code(submit(c, "abuse@example.net", []byte(testComplaint))); got != 550 {
		t.Errorf("abuse@ of another's domain: %d, want 550", got)
	}
}
