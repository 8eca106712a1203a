package bounce

import (
	"strings"
	"testing"
)

// TestRules: each example is decided by its own rule, and each pattern can be
// reached by the index and by folded text.
func TestRules(t *testing.T) {
	for _, r := range textRules {
		if got := matchText(r.example, false); got.category != r.category {
			t.Errorf("%q is %v by %q, want %v", r.example, got.category, got.words, r.category)
		}
		for _, p := range r.patterns {
			head, _, _ := strings.Cut(p, "*")
			if len(head) < 3 {
				t.Errorf("%v: %q has fewer than three octets before the '*'", r.category, p)
			}
			if got := foldText(strings.ReplaceAll(p, "*", " x ")); strings.TrimSpace(p) == p && strings.Join(strings.Fields(strings.ReplaceAll(p, "*", " x ")), " ") != got {
				t.Errorf("%v: %q can never match folded text", r.category, p)
			}
		}
	}
}

// TestRulesDoNotShadow: a pattern that contains one of an earlier rule could
// never decide.
func TestRulesDoNotShadow(t *testing.T) {
	for i, r := range textRules {
		for _, p := range r.patterns {
			text := strings.ReplaceAll(p, "*", " ")
			for _, before := range textRules[:i] {
				for _, q := range before.patterns {
					if strings.IndexByte(q, '*') < 0 && strings.Contains(text, q) {
						t.Errorf("%v: %q is decided by %v: %q", r.category, p, before.category, q)
					}
				}
			}
		}
	}
}

func TestStatusRules(t *testing.T) {
	for code, want := range statusRules {
		for _, class := range []string{"4.", "5."} {
			got, ok := categoryOfStatus(class + code)
			if !ok || got != want {
				t.Errorf("%s%s: %v, want %v", class, code, got, want)
			}
		}
		if strings.HasPrefix(code, "7.") && (want == MailboxUnknown || want == HostUnknown) {
			t.Errorf("%s is policy and cannot mean a bad address", code)
		}
	}
	for status, want := range map[string]Category{
		"5.7.1": Policy, "5.7.99": Policy, "5.7.622": Spam, "5.6.77": Content,
	} {
		if got, ok := categoryOfStatus(status); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", status, got, ok, want)
		}
	}
	for _, status := range []string{"5.0.0", "5.1.0", "5.2.0", "5.3.0", "5.4.0", "5.5.0", "5.6.0", "5.7.0", "", "5"} {
		if got, ok := categoryOfStatus(status); ok {
			t.Errorf("%q: %v, want it left to the text", status, got)
		}
	}
}

// TestCategorize: what decides where status, text, code and command disagree.
func TestCategorize(t *testing.T) {
	tests := []struct {
		name                       string
		action, status, diagnostic string
		stage                      string
		want                       Category
		permanent                  bool
	}{
		{"status and text agree", "failed", "5.1.1", "550 5.1.1 User unknown", "", MailboxUnknown, true},
		{"status alone", "failed", "5.1.1", "", "", MailboxUnknown, true},
		{"text alone", "failed", "5.0.0", "550 no such user here", "RCPT", MailboxUnknown, true},
		{"unknown after DATA", "failed", "5.0.0", "550 Unknown user jane@example.net", "DATA", Filtered, true},
		{"unknown after DATA with 5.1.1", "failed", "5.1.1", "550 5.1.1 User unknown", "DATA", MailboxUnknown, true},
		{"policy is no bad address", "failed", "5.7.1", "550 5.7.1 User unknown", "", Policy, true},
		{"blocklist in a 5.1.1", "failed", "5.1.1", "550 5.1.1 rejected, see http://www.spamhaus.org/query", "", Spam, true},
		{"preferences in a 5.1.1", "failed", "5.1.1", "550 5.1.1 Refused due to recipient preferences", "", Filtered, true},
		{"unknown user in a 5.2.1", "failed", "5.2.1", "550 5.2.1 User unknown", "", MailboxUnknown, true},
		{"disabled", "failed", "5.2.1", "550 5.2.1 mailbox disabled", "", Disabled, true},
		{"sender refused", "failed", "5.1.0", "553 5.1.0 example.com does not exist", "MAIL", Policy, true},
		{"null MX", "failed", "5.7.27", "550 Host does not accept mail", "", HostUnknown, true},
		{"expired at Postfix, greylisted", "failed", "4.7.1", "451 4.7.1 Greylisted", "RCPT", ExpiredInQueue, false},
		{"expired at Postfix, unknown for now", "failed", "4.1.1", "450 4.1.1 User unknown", "RCPT", ExpiredInQueue, false},
		{"expired at Postfix, full", "failed", "4.2.2", "452 4.2.2 Mailbox full", "RCPT", ExpiredInQueue, false},
		{"expired at Postfix, refused", "failed", "4.4.1", "connect to mx.example.net[192.0.2.1]:25: Connection refused", "", ExpiredInQueue, false},
		{"loop", "failed", "4.4.6", "", "", System, false},
		{"warning", "delayed", "4.2.2", "452 4.2.2 Mailbox full", "", MailboxFull, false},
		{"delivered", "delivered", "2.0.0", "250 2.0.0 Ok", "", None, false},
		{"relayed", "relayed", "2.1.9", "", "", None, false},
		{"full", "failed", "5.2.2", "552 5.2.2 over quota", "", MailboxFull, true},
		{"size", "failed", "5.3.4", "552 5.3.4 message too large", "", Size, true},
		{"DMARC", "failed", "5.7.26", "550 5.7.26 unauthenticated", "", Authentication, true},
		{"DMARC by text", "failed", "5.7.1", "550 5.7.1 rejected by DMARC policy of example.com", "", Authentication, true},
		{"nothing but a code", "failed", "", "554", "", Undetermined, true},
		{"moved", "failed", "", "551 user not local; please try <jane@example.org>", "RCPT", MailboxUnknown, true},
		{"moved by code", "failed", "", "551 see elsewhere", "RCPT", Moved, true},
		{"no domain, under a temporary code", "failed", "4.0.0", "DNS type 'mx' lookup of no.example responded with code NXDOMAIN", "", Network, false},
		{"no answer of name servers, under one", "failed", "4.0.0", "DNS type 'mx' lookup of example.net responded with code SERVFAIL", "", ExpiredInQueue, false},
		{"no domain, for now", "failed", "4.1.2", "450 4.1.2 domain not found", "RCPT", Network, false},
		{"cannot route, but the host is there", "failed", "5.4.4", "connect to mx.example.net[192.0.2.1]:25: No route to host", "", ExpiredInQueue, false},
		{"name servers failed, under a code of the host", "failed", "5.1.2", "Host unknown (Name server: example.net: no answer, try again)", "", Network, true},
		{"no such user, refused at RCPT for policy", "failed", "5.7.1", "550 5.7.1 No such user here", "RCPT", MailboxUnknown, true},
		{"access denied at RCPT", "failed", "5.7.1", "554 5.7.1 Recipient address rejected: Access denied", "RCPT", Policy, true},
		{"Sendmail's 5.1.1, the reply without a status", "failed", "5.1.1", "550 Relay access denied", "RCPT", Protocol, true},
		{"5.1.1 by the reply itself", "failed", "5.1.1", "550 5.1.1 Relay access denied", "RCPT", MailboxUnknown, true},
		{"Sendmail's 5.1.1, the reply vague", "failed", "5.1.1", "550 rejected", "RCPT", MailboxUnknown, true},
		{"a code in the reply", "failed", "5.1.1", "550 5.7.1 your IP is blacklisted", "RCPT", Spam, true},
		{"a success as the status", "failed", "2.0.0", "550 5.2.2 full", "RCPT", MailboxFull, true},
		{"a success as the only status", "failed", "2.1.5", "", "", Undetermined, true},
		{"warning of an unknown user", "delayed", "4.1.1", "450 4.1.1 unverified address", "RCPT", System, false},
		{"warning of an unknown host", "delayed", "4.4.4", "454 4.4.4 no MX or A for domain", "", Network, false},
		{"warning without an answer", "delayed", "4.4.1", "", "", Network, false},
		{"general code over a temporary reply", "failed", "5.0.0", "451 please wait", "RCPT", ExpiredInQueue, false},
		{"address is no explanation", "failed", "5.0.0", "550 <mailbox.full@spam.example>: no", "RCPT", Undetermined, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Recipient{Address: "jane@example.net", Action: tt.action, Status: tt.status, Diagnostic: tt.diagnostic}
			finish(&r, facts{stage: tt.stage})
			if r.Category != tt.want || r.Permanent != tt.permanent {
				t.Errorf("%v (%s), permanent %v; want %v, %v", r.Category, r.Evidence, r.Permanent, tt.want, tt.permanent)
			}
			if r.Category != Undetermined && r.Evidence == "" {
				t.Error("no evidence")
			}
			if r.Status == "" || r.Action == "" {
				t.Errorf("status %q, action %q", r.Status, r.Action)
			}
		})
	}
}

func TestOwnRelays(t *testing.T) {
	p := Parser{OwnRelays: []string{"g1.mail.example", ".relays.example", "192.0.2.7"}}
	notice := func(remote, diagnostic string) string {
		s := strings.Replace(testNotice, "mx.example.net", remote, 1)
		return strings.Replace(s, "smtp; 550 5.1.1 No such user", diagnostic, 1)
	}
	tests := []struct {
		name, remote, diagnostic string
		want                     bool
	}{
		{"graveyard", "g1.mail.example", "smtp; 550 5.7.1 Relay access denied", true},
		{"in upper case", "G1.MAIL.EXAMPLE.", "smtp; 550 no", true},
		{"below a domain", "g2.relays.example", "smtp; 550 no", true},
		{"the domain itself", "relays.example", "smtp; 550 no", false},
		{"address", "192.0.2.7", "smtp; 550 no", true},
		{"another", "xg1.mail.example", "smtp; 550 no", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := p.Parse(strings.NewReader(notice(tt.remote, tt.diagnostic)))
			if err != nil {
				t.Fatal(err)
			}
			got := r.Recipients[0]
			if (got.Category == OwnRelay) != tt.want || got.Permanent == tt.want || got.Category.Hard() == tt.want && tt.want {
				t.Errorf("category %v, permanent %v", got.Category, got.Permanent)
			}
		})
	}
}
