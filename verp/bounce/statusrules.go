package bounce

import "strings"

// statusRules: what an enhanced status code says without its class. RFC 3463
// §3, the later registrations (RFC 4865, 6710, 7293, 7372, 7504, 7505), and the
// codes that Exchange Online adds. A subject or detail of 0, and codes that
// systems use for anything, are left to the text.
var statusRules = map[string]Category{
	"1.1":  MailboxUnknown, // bad destination mailbox address
	"1.2":  HostUnknown,    // bad destination system address
	"1.3":  MailboxUnknown, // bad destination mailbox address syntax
	"1.4":  MailboxUnknown, // ambiguous
	"1.6":  Moved,          // moved, no forwarding address
	"1.7":  Policy,         // bad sender's mailbox address syntax
	"1.8":  Policy,         // bad sender's system address
	"1.10": MailboxUnknown, // RFC 7505: null MX; Exchange: recipient not found
	"1.90": Rate,           // Exchange Online: daily limit reached

	"2.1":   Disabled,
	"2.2":   MailboxFull,
	"2.3":   Size,
	"2.121": Rate, // Exchange Online: recipient's hourly limit, from this sender
	"2.122": Rate, // Exchange Online: recipient's hourly limit

	"3.1": System, // mail system full
	"3.4": Size,

	"4.1":   ExpiredInQueue, // no answer from host
	"4.4":   HostUnknown,    // unable to route
	"4.5":   System,         // congestion
	"4.6":   System,         // routing loop
	"4.7":   ExpiredInQueue,
	"4.14":  System,         // Exchange: hop count exceeded
	"4.300": ExpiredInQueue, // Exchange Online: message expired
	"4.310": HostUnknown,    // Exchange Online: DNS domain does not exist
	"4.312": Network,        // Exchange Online: DNS query failed
	"4.316": ExpiredInQueue, // Exchange Online: message expired, connection refused

	"5.3": Rate, // too many recipients

	"6.1": Content, "6.2": Content, "6.3": Content, "6.4": Content, "6.5": Content,
	"6.6": Content, "6.7": Protocol, "6.9": Content,

	"7.2":  Filtered, // mailing list expansion prohibited
	"7.8":  Protocol, // authentication credentials invalid
	"7.9":  Protocol,
	"7.10": Protocol, // encryption needed
	"7.17": Moved,    // RFC 7293: mailbox owner has changed
	"7.20": Authentication, "7.21": Authentication, "7.22": Authentication,
	"7.23": Authentication, "7.24": Authentication, "7.25": Authentication,
	"7.26": Authentication, "7.29": Authentication, "7.30": Protocol,
	"7.27":  Policy,         // RFC 7505: the sender's domain has a null MX
	"7.28":  Rate,           // mail flood
	"7.509": Authentication, // Exchange Online: DMARC
	"7.511": Spam, "7.606": Spam, "7.649": Spam,
}

// categoryOfStatus looks a status code up. It fails for codes too general to
// tell anything. X.7.x without an entry is Policy: never a bad address.
func categoryOfStatus(status string) (Category, bool) {
	_, code, ok := strings.Cut(status, ".")
	if !ok {
		return Undetermined, false
	}
	if c, ok := statusRules[code]; ok {
		return c, true
	}
	if strings.HasPrefix(code, "7.") && code != "7.0" {
		if strings.HasPrefix(code, "7.6") && len(code) == 5 {
			return Spam, true // Exchange Online: banned sending address
		}
		return Policy, true
	}
	if strings.HasPrefix(code, "6.") && code != "6.0" {
		return Content, true
	}
	return Undetermined, false
}

// statusOfCategory is the status given to a recipient whose report has none.
func statusOfCategory(c Category, class byte) string {
	detail := ".0.0"
	switch c {
	case MailboxUnknown:
		detail = ".1.1"
	case HostUnknown:
		detail = ".1.2"
	case Moved:
		detail = ".1.6"
	case Disabled:
		detail = ".2.1"
	case MailboxFull:
		detail = ".2.2"
	case Size:
		detail = ".3.4"
	case ExpiredInQueue:
		detail = ".4.7"
	case Policy, Spam, Virus, Authentication, Filtered:
		detail = ".7.1"
	case None:
		class = '2'
	}
	return string(class) + detail
}
