package bounce

import "testing"

// TestReplies: what well-known receivers answer, without the Status of a DSN.
// The wording is theirs; addresses and hosts are not.
func TestReplies(t *testing.T) {
	tests := []struct {
		reply string
		want  Category
	}{
		{"550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the address", MailboxUnknown},
		{"550 5.2.1 The email account that you tried to reach is disabled", Disabled},
		{"552 5.2.2 The email account that you tried to reach is over quota", MailboxFull},
		{"550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail", Spam},
		{"550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy", Authentication},
		{"550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent, part of their network is on our block list (S3140)", Spam},
		{"550 5.5.0 Requested action not taken: mailbox unavailable", MailboxUnknown},
		{"550 5.4.1 Recipient address rejected: Access denied", MailboxUnknown},
		{"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", MailboxUnknown},
		{"550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", Protocol},
		{"550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", Size},
		{"550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Protocol},
		{"550 5.4.310 DNS domain no.example does not exist", HostUnknown},
		{"554 5.4.14 Hop count exceeded - possible mail loop", System},
		{"550 Message was not accepted -- invalid mailbox. Local mailbox is unavailable: user not found", MailboxUnknown},
		{"550 Message was not accepted -- invalid mailbox. Local mailbox is unavailable: account is disabled", MailboxUnknown},
		{"550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416", MailboxUnknown},
		{"552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417", MailboxFull},
		{"550 5.5.0 Boite du destinataire archivee. Archived recipient.", Disabled},
		{"550 5.1.1 Not our Customer", MailboxUnknown},
		{"550 Mailbox not found", MailboxUnknown},
		{"550 Connection frequency limited", Rate},
		{"550 Ip frequency limited", Rate},
		{"550 User suspended", Disabled},
		{"554 DT:SPM sent", Spam},
		{"552 5.2.2 user is over quota", MailboxFull},
		{"554 5.7.1 [HM08] Message rejected due to local policy", Policy},
		{"550 #5.1.0 Address rejected.", MailboxUnknown},
		{"550 Invalid Recipient - https://community.example/docs", MailboxUnknown},
		{"554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.1", Spam},
		{"550 Recipient address rejected: Policy Rejection- Abuse", Policy},
		{"550 attachment has been removed", Content},
		{"550 connection to port 465 was refused by policy", Policy},
		{"553 5.1.8 Sender address rejected: Domain not found", Policy},
		{"550 5.1.0 Sender rejected", Policy},
		{"550 5.1.1 Recipient address rejected: User unknown in virtual mailbox table", MailboxUnknown},
		{"450 4.1.1 Recipient address rejected: unverified address", System},
		{"550 5.1.2 Recipient address rejected: Domain not found", HostUnknown},
		{"554 5.7.1 Recipient address rejected: Access denied", Policy},
		{"550-Mailbox unknown. Either there is no mailbox associated with this name 550 5.1.1 User unknown", MailboxUnknown},
		{"550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", Authentication},
		{"504 5.5.2 Helo command rejected: need fully-qualified hostname", Authentication},
		{"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Spam},
		{"421 4.7.0 Too many connections from your host", Rate},
		{"452 4.2.2 Quota exceeded (mailbox for user is full)", MailboxFull},
		{"552 5.3.4 Message size exceeds fixed limit", Size},
		{"523 the message size exceeds the recipient's size limit", Size},
		{"556 5.1.10 Recipient address has null MX", HostUnknown},
		{"550 5.6.0 Lone CR or LF in headers (see RFC2822 section 2.2)", Content},
		{"501 5.5.4 Invalid domain name", HostUnknown},
		{"550 5.7.0 Message blocked: virus found", Virus},
		{"450 4.2.0 Greylisted, please come back later", Policy},
		{"Sorry, no mailbox here by that name. (#5.1.1)", MailboxUnknown},
		{"Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)", HostUnknown},
		{"all relevant MX records point to non-existent hosts", HostUnknown},
		{"Unrouteable address", MailboxUnknown},
		{"550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.example", MailboxUnknown},
		{"550 <jane@example.net> does not exist", MailboxUnknown},
		{"550 5.1.351 Remote server returned unknown recipient or mailbox unavailable", MailboxUnknown},
		{"550 User has no account here", MailboxUnknown},
		{"550 no mail box for this user", MailboxUnknown},
		{"550 BAD_RECIPIENT", MailboxUnknown},
		{"550 is not an active address here", MailboxUnknown},
		{"550 recipient is not known", MailboxUnknown},
		{"550 this mailbox has been closed", MailboxUnknown},
		{"550 user jdoe could not be located at this site", MailboxUnknown},
		{"550 We have no user of that name", MailboxUnknown},
		{"550 5.7.1 no such recipient", MailboxUnknown},
		{"550 5.7.1 relaying denied", Protocol},
		{"550 sender's account does not exist", Policy},
		{"550 mailbox may not exist", Undetermined},
		{"550 if the user does not exist, ask the postmaster", Undetermined},
		{"550 no mailbox space left", MailboxFull},
		{"550 Domain example.net has no MX", HostUnknown},
		{"host mail.no.example could not be found", HostUnknown},
		{"unable to look up host mx.no.example: Name or service not known", HostUnknown},
		{"unable to look up host mx.no.example: No address associated with hostname", HostUnknown},
		{"unable to look up host mx.example.net: Temporary failure in name resolution", Network},
		{"DNS type 'mx' lookup of example.net responded with code SERVFAIL", Network},
		{"Host or domain name not found. Name service error for name=example.net type=MX: Host not found, try again", Network},
		{"Host or domain name not found. Name service error for name=no.example type=A: Host not found", HostUnknown},
		{"retry time not reached for any host after a long failure period", ExpiredInQueue},
	}
	for _, tt := range tests {
		r := Recipient{Address: "jane@example.net", Action: actionFailed, Diagnostic: tt.reply}
		if tt.reply[0] == '4' {
			r.Action = actionDelayed
		}
		finish(&r, facts{stage: "RCPT"})
		if r.Category != tt.want {
			t.Errorf("%q is %v (%s), want %v", tt.reply, r.Category, r.Evidence, tt.want)
		}
	}
}
