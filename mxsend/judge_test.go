package mxsend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// What mail servers say, and what it means. The source is the RFC's section, or
// the server with the parameter, rule or file that the reply comes from.
func TestJudgeReplies(t *testing.T) {
	const rcpt, mail, data, dot = StageRecipient, StageMail, StageData, StageFinalDot
	for _, tt := range []struct {
		source string
		stage  Stage
		reply  string
		about  party
		want   disposition
	}{
		// The name in EHLO, refused as late as at RCPT.
		{"Postfix reject_non_fqdn_helo_hostname", rcpt, "504 5.5.2 <mailer-7c9f>: Helo command rejected: need fully-qualified hostname", aboutHello, hold},
		{"Postfix reject_invalid_helo_hostname", rcpt, "501 5.5.2 <app:25>: Helo command rejected: Invalid name", aboutHello, hold},
		{"Postfix reject_invalid_helo_hostname", rcpt, "501 5.5.2 <[::1]>: Helo command rejected: invalid ip address", aboutHello, hold},
		{"Postfix reject_unknown_helo_hostname", rcpt, "450 4.7.1 <app.test>: Helo command rejected: Host not found", aboutHello, elsewhere},
		{"Postfix reject_unknown_helo_hostname, unknown_hostname_reject_code = 550", rcpt, "550 5.7.1 <app.test>: Helo command rejected: Host not found", aboutHello, hold},
		{"Postfix check_helo_access", rcpt, "554 5.7.1 <app.test>: Helo command rejected: Access denied", aboutHello, hold},
		{"Postfix reject_rhsbl_helo", rcpt, "554 5.7.1 Service unavailable; Helo command [app.test] blocked using dbl.example", aboutHello, hold},
		{"Postfix smtpd_end_of_data_restrictions", dot, "554 5.7.1 <app.test>: Helo command rejected: Access denied", aboutHello, hold},
		{"Exim helo_verify_hosts", mail, "550 HELO argument does not match calling host", aboutHello, hold},
		{"Exim as cPanel configures it, acl_smtp_rcpt", rcpt, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", aboutHello, hold},

		// The client's network.
		{"Postfix smtpd_client_restrictions, reject", rcpt, "554 5.7.1 <unknown[192.0.2.9]>: Client host rejected: Access denied", aboutClient, hold},
		{"Postfix reject_unknown_client_hostname", rcpt, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.9]", aboutClient, elsewhere},
		{"Postfix before 3.0 reject_unknown_client_hostname", rcpt, "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.9]", aboutClient, elsewhere},
		{"Postfix reject_rbl_client", rcpt, "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.example; listed", aboutClient, hold},
		{"Postfix reject_unauth_destination", rcpt, "554 5.7.1 <jane@example.net>: Relay access denied", aboutClient, hold},
		{"Postfix defer_unauth_destination, the default of smtpd_relay_restrictions", rcpt, "454 4.7.1 <jane@example.net>: Relay access denied", aboutClient, elsewhere},
		{"Postfix smtpd_relay_restrictions", rcpt, "554 5.7.1 <jane@example.net>: Recipient address rejected: Relay access denied", aboutClient, hold},
		{"Postfix reject_unknown_reverse_client_hostname", rcpt, "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.9]", aboutClient, elsewhere},
		{"Postfix before 2.3 reject_unauth_destination", rcpt, "554 <jane@example.net>: Relay access denied", aboutClient, hold},
		{"Postfix smtpd_client_message_rate_limit", mail, "450 4.7.1 Error: too much mail from 192.0.2.9", aboutClient, elsewhere},
		{"Postfix smtpd_client_recipient_rate_limit", rcpt, "450 4.7.1 Error: too many recipients from 192.0.2.9", aboutClient, elsewhere},
		{"Exim, Debian's acl_check_rcpt", rcpt, "550 relay not permitted", aboutClient, hold},
		{"Exim 3", rcpt, "550 relaying to <jane@example.net> prohibited by administrator", aboutClient, hold},
		{"Sendmail check_rcpt", rcpt, "550 5.7.1 <jane@example.net>... Relaying denied", aboutClient, hold},
		{"Sendmail check_rcpt", rcpt, "550 5.7.1 <jane@example.net>... Relaying denied. IP name lookup failed [192.0.2.9]", aboutClient, hold},
		{"Sendmail FEATURE(require_rdns)", rcpt, "550 5.7.1 Fix reverse DNS for 192.0.2.9", aboutClient, hold},
		{"Exchange 2010, receive connector", rcpt, "550 5.7.1 Unable to relay", aboutClient, hold},
		{"Exchange 2016, receive connector", rcpt, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", aboutClient, hold},
		{"Exchange Online, connector", rcpt, "550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of certificate]", aboutClient, hold},
		{"Exchange Online Protection", mail, "550 5.7.606 Access denied, banned sending IP [192.0.2.9]", aboutPolicy, confirm},
		{"qmail control/rcpthosts", rcpt, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", aboutClient, hold},
		{"Courier esmtpd", rcpt, "513 Relaying denied.", aboutClient, hold},
		{"James RelayHandler", rcpt, "550 5.7.1 Requested action not taken: relaying denied", aboutClient, hold},
		{"KumoMTA relay hosts", rcpt, "550 5.7.1 relaying not permitted for 192.0.2.9", aboutClient, hold},
		{"RFC 7372 §3.3", rcpt, "550 5.7.25 reverse DNS validation failed", aboutClient, hold},
		{"RFC 7504 §3", mail, "521 does not accept mail", aboutRelay, hold},

		// The sender: its domain, or the right to use it.
		{"Postfix reject_unknown_sender_domain", rcpt, "550 5.1.8 <b@bounce.test>: Sender address rejected: Domain not found", aboutSender, hold},
		{"Postfix reject_unknown_sender_domain", rcpt, "450 4.1.8 <b@bounce.test>: Sender address rejected: Domain not found", aboutSender, elsewhere},
		{"Postfix reject_unknown_sender_domain, null MX", rcpt, "550 5.7.27 <b@bounce.test>: Sender address rejected: Domain bounce.test does not accept mail (nullMX)", aboutSender, hold},
		{"Postfix reject_non_fqdn_sender", rcpt, "504 5.5.2 <b@bounce>: Sender address rejected: need fully-qualified address", aboutSender, hold},
		{"Postfix reject_unlisted_sender", rcpt, "550 5.1.0 <b@bounce.test>: Sender address rejected: User unknown in virtual mailbox table", aboutSender, hold},
		{"Postfix check_sender_access", rcpt, "554 5.7.1 <b@bounce.test>: Sender address rejected: Access denied", aboutSender, hold},
		{"Postfix reject_sender_login_mismatch", rcpt, "553 5.7.1 <b@bounce.test>: Sender address rejected: not owned by user app", aboutSender, hold},
		{"Postfix reject_unverified_sender", rcpt, "450 4.1.7 <b@bounce.test>: Sender address rejected: unverified address: Address verification in progress", aboutReturnPath, elsewhere},
		{"Postfix reject_rhsbl_sender", rcpt, "554 5.7.1 Service unavailable; Sender address [b@bounce.test] blocked using dbl.example", aboutSender, hold},
		{"policyd-spf", rcpt, "550 5.7.23 <jane@example.net>: Recipient address rejected: Message rejected due to: SPF fail - not authorized", aboutSender, hold},
		{"Exim require verify = sender", rcpt, "550-Verification failed for <b@bounce.test>\n550-Unrouteable address\n550 Sender verify failed", aboutSender, hold},
		{"Sendmail check_mail", mail, "553 5.1.8 <b@bounce.test>... Domain of sender address b@bounce.test does not exist", aboutSender, hold},
		{"Sendmail check_mail", mail, "451 4.1.8 Domain of sender address b@bounce.test does not resolve", aboutSender, elsewhere},
		{"Sendmail check_mail", mail, "553 5.5.4 <b>... Domain name required for sender address b", aboutSender, hold},
		{"Exchange, Send As", mail, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", aboutSender, hold},
		{"Exchange Online", rcpt, "550 5.1.8 Access denied, bad outbound sender", aboutSender, hold},
		{"qmail control/badmailfrom", rcpt, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", aboutSender, hold},
		{"RFC 3463 §3.3, at MAIL of the mailbox there", mail, "550 5.1.1 unknown", aboutSender, hold},
		{"Gmail, a sender over quota", mail, "552 5.2.2 the sender is over quota", aboutSender, hold},

		// The return path of this one message.
		{"Postfix smtpd mail_cmd", mail, "501 5.1.7 Bad sender address syntax", aboutReturnPath, confirm},
		{"Exim sender_unqualified_hosts", mail, "501 <b>: sender address must contain a domain", aboutReturnPath, confirm},
		{"qmail", mail, "555 syntax error (#5.5.4)", aboutUnknown, confirm},
		{"RFC 5321 §4.3.2", mail, "553 mailbox name not allowed", aboutReturnPath, confirm},

		// Credential and TLS.
		{"RFC 4954 §6", mail, "530 5.7.0 Authentication required", aboutAuth, hold},
		{"RFC 4954 §6, no enhanced code", rcpt, "530 Authentication required", aboutAuth, hold},
		{"Gmail smtp-relay", mail, "530-5.5.1 Authentication Required. For more information\n530 5.5.1 see", aboutAuth, hold},
		{"Postfix reject_sender_login_mismatch", rcpt, "553 5.7.1 <b@bounce.test>: Sender address rejected: not logged in", aboutAuth, hold},
		{"Exchange, anonymous", mail, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", aboutAuth, hold},
		{"hMailServer", rcpt, "530 SMTP authentication is required.", aboutAuth, hold},
		{"MailEnable", rcpt, "503 This mail server requires authentication when attempting to send to a non-local e-mail address.", aboutAuth, hold},
		{"Postfix smtpd_tls_security_level = encrypt", mail, "530 5.7.0 Must issue a STARTTLS command first", aboutTLS, hold},
		{"Postfix reject_plaintext_session", rcpt, "450 4.7.1 Session encryption is required", aboutTLS, elsewhere},
		{"RFC 5248, X.7.10", mail, "523 5.7.10 Encryption Needed", aboutTLS, hold},

		// Policy that does not say whom it means.
		{"Postfix smtpd_recipient_restrictions, reject", rcpt, "554 5.7.1 <jane@example.net>: Recipient address rejected: Access denied", aboutPolicy, confirm},
		{"Postfix before 2.3, reject", rcpt, "554 <jane@example.net>: Recipient address rejected: Access denied", aboutPolicy, confirm},
		{"Postfix smtpd_data_restrictions, reject", data, "554 5.7.1 <DATA>: Data command rejected: Access denied", aboutPolicy, confirm},
		{"Sendmail access map", rcpt, "550 5.7.1 <jane@example.net>... Access denied", aboutPolicy, confirm},
		{"Sendmail access map, older", rcpt, "550 5.0.0 Access denied", aboutPolicy, confirm},
		{"Sendmail access map, an own text", rcpt, "553 5.3.0 <jane@example.net>... Spam blocked", aboutPolicy, confirm},
		{"Exim, deny without a message", rcpt, "550 Administrative prohibition", aboutPolicy, confirm},
		{"Exim dnslists", rcpt, "550 rejected because 192.0.2.9 is in a black list at zen.example", aboutPolicy, confirm},
		{"milter, SMFIS_REJECT", rcpt, "550 5.7.1 Command rejected", aboutPolicy, confirm},
		{"RFC 5321 §4.3.2", rcpt, "554 transaction failed", aboutPolicy, confirm},
		{"qmail-smtpd with chkuser", rcpt, "571 sorry, mail from your address is administratively denied (#5.7.1 - chkuser)", aboutPolicy, confirm},

		// The recipient.
		{"Postfix reject_unlisted_recipient", rcpt, "550 5.1.1 <jane@example.net>: Recipient address rejected: User unknown in local recipient table", aboutRecipient, settled},
		{"Postfix reject_unknown_recipient_domain", rcpt, "550 5.1.2 <jane@example.invalid>: Recipient address rejected: Domain not found", aboutRecipient, settled},
		{"Postfix reject_unknown_recipient_domain, null MX", rcpt, "556 5.1.10 <jane@example.net>: Recipient address rejected: Domain example.net does not accept mail (nullMX)", aboutRecipient, settled},
		{"Postfix reject_non_fqdn_recipient", rcpt, "504 5.5.2 <jane>: Recipient address rejected: need fully-qualified address", aboutRecipient, settled},
		{"Postfix reject_unverified_recipient", rcpt, "550 5.1.1 <jane@example.net>: Recipient address rejected: undeliverable address: host mx.example.net[192.0.2.1] said: 554 5.7.1 Client host rejected: Access denied", aboutRecipient, settled},
		{"Postfix smtpd rcpt_cmd", rcpt, "501 5.1.3 Bad recipient address syntax", aboutRecipient, settled},
		{"Postfix postgrey", rcpt, "450 4.2.0 <jane@example.net>: Recipient address rejected: Greylisted", aboutRecipient, afterPause},
		{"milter-greylist", rcpt, "451 4.7.1 Greylisting in action, please come back later", aboutPolicy, afterPause},
		{"Exim, unknown user", rcpt, "550 Unrouteable address", aboutRecipient, settled},
		{"Exim", rcpt, "501 <jane>: recipient address must contain a domain", aboutRecipient, settled},
		{"Sendmail", rcpt, "550 5.1.1 <jane@example.net>... User unknown", aboutRecipient, settled},
		{"Exchange Online, directory based edge blocking", rcpt, "550 5.4.1 Recipient address rejected: Access denied", aboutRecipient, settled},
		{"Exchange", rcpt, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", aboutRecipient, settled},
		{"qmail with chkuser", rcpt, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", aboutRecipient, settled},
		{"RFC 3463 §3.3, mailbox full", rcpt, "552 5.2.2 mailbox full", aboutRecipient, settled},
		{"RFC 3463 §3.3, mailbox full", rcpt, "452 4.2.2 mailbox full", aboutRecipient, afterPause},
		{"RFC 7293 §5.1", rcpt, "550 5.7.17 mailbox owner has changed", aboutRecipient, settled},
		{"hMailServer", rcpt, "550 Unknown user", aboutRecipient, settled},

		// The message.
		{"Postfix message_size_limit", mail, "552 5.3.4 Message size exceeds fixed limit", aboutMessage, settled},
		{"Exim message_size_limit", mail, "552 message size exceeds maximum permitted", aboutMessage, settled},
		{"Postfix header_checks", dot, "550 5.7.1 message content rejected", aboutPolicy, settled},
		{"amavis", dot, "554 5.7.0 Reject, id=12345-01 - spam", aboutPolicy, settled},
		{"Postfix hopcount_limit", dot, "554 5.4.0 Error: too many hops", aboutRecipient, settled},
		{"qmail-queue filter", dot, "554 mail server permanently rejected message (#5.3.0)", aboutMessage, settled},
		{"RFC 7372 §3.1, DKIM", dot, "550 5.7.20 no passing DKIM signature found", aboutMessage, settled},
		{"Postfix smtpd mail_cmd, SMTPUTF8", rcpt, "553 5.6.7 Must declare SMTPUTF8 to send unicode address", aboutMessage, settled},
		{"Sendmail, milter at the dot", dot, "554 5.7.1 Command rejected", aboutPolicy, settled},

		// The relay.
		{"Postfix, a table's server is away", rcpt, "451 4.3.0 <jane@example.net>: Temporary lookup failure", aboutRelay, elsewhere},
		{"Postfix queue_minfree", mail, "452 4.3.1 Insufficient system storage", aboutRelay, elsewhere},
		{"Postfix, misconfigured", rcpt, "451 4.3.5 Server configuration error", aboutRelay, elsewhere},
		{"Postfix, a table that cannot be read", rcpt, "451 4.3.5 <b@bounce.test>: Sender address rejected: Server configuration error", aboutRelay, elsewhere},
		{"smtp-sink -f", rcpt, "500 5.3.0 Error: command failed", aboutPolicy, confirm},
		{"Postfix cleanup", dot, "451 4.3.0 Error: queue file write error", aboutRelay, elsewhere},
		{"Exim check_spool_space", mail, "452 space shortage, please try later", aboutRelay, elsewhere},
		{"Exim", rcpt, "451 Temporary local problem - please try later", aboutRelay, elsewhere},
		{"Sendmail MinFreeBlocks", mail, "452 4.4.5 Insufficient disk space; try again later", aboutRelay, elsewhere},
		{"Exchange, back pressure", mail, "452 4.3.1 Insufficient system resources", aboutRelay, elsewhere},
		{"Postfix, overloaded", mail, "421 4.7.0 Error: too many connections", aboutPolicy, elsewhere},

		// The transaction.
		{"Postfix smtpd_recipient_limit", rcpt, "452 4.5.3 Error: too many recipients", aboutCount, afterPause},
		{"Exim recipients_max_reject", rcpt, "552 too many recipients", aboutCount, afterPause},
		{"Postfix", rcpt, "503 5.5.1 Error: need MAIL command", aboutSequence, elsewhere},
		{"Sendmail", rcpt, "503 5.0.0 Need MAIL before RCPT", aboutSequence, elsewhere},
		{"Exim", data, "503 valid RCPT command must precede DATA", aboutSequence, elsewhere},
		{"Postfix reject_unauth_pipelining", data, "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining", aboutSequence, elsewhere},
	} {
		t.Run(fmt.Sprintf("%s/%v %.40s", tt.source, tt.stage, tt.reply), func(t *testing.T) {
			wire := strings.ReplaceAll(tt.reply+"\n", "\n", "\r\n")
			r, err := smtpwire.NewReplyReader(strings.NewReader(wire)).Next()
			if err != nil {
				t.Fatal(err)
			}
			code, text := replyCode{code: r.Code, enhanced: r.Enhanced}, string(r.Text)
			if got := about(tt.stage, code, text); got != tt.about && tt.about != aboutSequence {
				t.Errorf("about %d, want %d", got, tt.about)
			}
			v := judge(tt.stage, code, text)
			if v.do != tt.want {
				t.Errorf("what follows is %d, want %d", v.do, tt.want)
			}
			if aboutUs := v.do == hold || v.do == confirm; aboutUs != (v.blame == blameRefusal) && r.Code >= 500 {
				t.Errorf("blame %d for %d", v.blame, v.do)
			}
			if v.blame == blameRefusal && v.cause == nil {
				t.Error("no cause")
			}
		})
	}
}

// FuzzJudge: whatever a reply says, 4yz is never final, a refusal of this client
// says what would mend it, and what blames the relay goes elsewhere.
func FuzzJudge(f *testing.F) {
	f.Add(uint8(StageRecipient), "504 5.5.2 <a>: Helo command rejected: need fully-qualified hostname")
	f.Add(uint8(StageRecipient), "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
	f.Add(uint8(StageMail), "450 (#")
	f.Add(uint8(StageFinalDot), "554 5.7.1 \u212aelo Command \xff(#5.1.1 - x)")
	f.Fuzz(func(t *testing.T, stage uint8, reply string) {
		r, err := smtpwire.NewReplyReader(strings.NewReader(reply + "\r\n")).Next()
		if err != nil || r.Code < 400 || stage > uint8(StageFinalDot) {
			return
		}
		v := judge(Stage(stage), replyCode{code: r.Code, enhanced: r.Enhanced}, string(r.Text))
		switch {
		case r.Temporary() && (v.do == settled || v.do == confirm || v.do == hold):
			t.Errorf("%q at %v: what follows is %d", reply, Stage(stage), v.do)
		case v.blame == blameRefusal && v.cause == nil:
			t.Errorf("%q at %v has no cause", reply, Stage(stage))
		case v.blame == blameRelay && v.do != elsewhere:
			t.Errorf("%q at %v blames the relay, and what follows is %d", reply, Stage(stage), v.do)
		}
	})
}
