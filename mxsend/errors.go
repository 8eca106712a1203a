package mxsend

import "errors"

// Sentinels for errors.Is. ErrRejected, ErrDeferred, ErrInDoubt and
// ErrNotAttempted match every *Error of that outcome; the others name a cause.
var (
	ErrRejected     = errors.New("mxsend: rejected")
	ErrDeferred     = errors.New("mxsend: deferred")
	ErrInDoubt      = errors.New("mxsend: in doubt")
	ErrNotAttempted = errors.New("mxsend: not attempted")

	// ErrNoRelay: the mail domain names no relay that could be used.
	ErrNoRelay = errors.New("no relay")
	// ErrRelayRefused: a relay refuses this client or its return path, whatever the
	// recipient: the network it comes from, its name in EHLO, its credential, the
	// sender. The error that has it says which, and what would mend it. Such a refusal
	// is not final, and the message waits for its next round, but for a return path that
	// relays refuse for its syntax, or at MAIL without a reason, while they take others:
	// that is Rejected, and no reason to write to the recipient no more.
	ErrRelayRefused = errors.New("the relay refuses this client: check its mynetworks, access rules and credentials")
	// ErrTLSRequired: the relay offers no STARTTLS and Config wants it.
	ErrTLSRequired = errors.New("the relay does not offer STARTTLS, which Config.TLS: mxsend.TLSRequired (the default) demands; " +
		"configure TLS on the relay, or set Config.TLS to mxsend.TLSOpportunistic or mxsend.TLSDisabled to send in clear")
	// ErrTLSVerify: the relay's certificate is not to be trusted.
	ErrTLSVerify = errors.New("the relay's certificate is not trusted; " +
		"set Config.TLSConfig.RootCAs to the CA that signed it, or Config.RelayNames to the name it bears")
	// ErrLacksExtension: no relay offers an extension, or the SIZE, that the message or
	// this recipient needs. The error says which.
	ErrLacksExtension = errors.New("no relay offers what the message needs")
	// ErrStopped: SendAll stopped before the end of its sequence, for the reason
	// wrapped beside it. Nothing more was pulled after the message of this error.
	ErrStopped = errors.New("SendAll stopped here, and what its sequence still holds was not submitted")
	// ErrInvalidMessage: the message, or this recipient's address, was refused before
	// any relay was asked: it is not well-formed, or the Signer will not sign it.
	ErrInvalidMessage = errors.New("invalid message")
	// ErrNotAllowed: Config.AllowRecipient refuses the recipient.
	ErrNotAllowed = errors.New("Config.AllowRecipient refuses it")
	// ErrClosed: the Client was closed.
	ErrClosed = errors.New("mxsend: client closed")
)

// A refusalCause is ErrRelayRefused where the relay says whom it refuses.
type refusalCause string

func (e refusalCause) Error() string { return string(e) }

// Is matches ErrRelayRefused.
func (e refusalCause) Is(target error) bool { return target == ErrRelayRefused }

const errHelloRefused refusalCause = "the relay refuses this client for its name in EHLO: " +
	"set Config.LocalName to the fully qualified name of this machine"

const errSenderRefused refusalCause = "the relay refuses the return path, whatever the recipient: " +
	"set Message.ReturnPath to an address whose domain exists and that the relay lets this client use"

// remedies are the errors that say what would mend a refusal, by whom it is about.
var remedies = [...]error{
	aboutUnknown:    ErrRelayRefused,
	aboutPolicy:     ErrRelayRefused,
	aboutRelay:      ErrRelayRefused,
	aboutClient:     ErrRelayRefused,
	aboutHello:      errHelloRefused,
	aboutReturnPath: errSenderRefused,
	aboutSender:     errSenderRefused,
	aboutAuth: refusalCause("the relay refuses this client without a credential that it knows: " +
		"set Config.Auth, or let the relay accept the network that this client is in"),
	aboutTLS: refusalCause("the relay refuses this client without TLS: " +
		"set Config.TLS to mxsend.TLSRequired"),
	aboutCount: nil,
}

// A Stage is where in a submission something happened.
type Stage uint8

const (
	StageLocal     Stage = iota // before any relay was chosen
	StageLookup                 // MX and address lookup
	StageConnect                // TCP
	StageGreeting               // the relay's first reply
	StageHello                  // EHLO
	StageTLS                    // STARTTLS and handshake
	StageAuth                   // AUTH
	StageMail                   // MAIL FROM
	StageRecipient              // RCPT TO
	StageData                   // DATA, before its 354
	StageContent                // content, before its terminator was handed over
	StageFinalDot               // after the terminator was handed over
)

// String returns the stage as it is named in errors: "MAIL", "final dot".
func (s Stage) String() string {
	names := [...]string{"local check", "lookup", "connect", "greeting", "EHLO", "TLS", "AUTH", "MAIL", "RCPT", "DATA", "content", "final dot"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown stage"
}

// An Error says why a recipient was not accepted. Its text holds no address and
// no content, and quotes of a relay's reply only what is safe in a log.
type Error struct {
	Outcome Outcome
	Stage   Stage
	Relay   string // empty before a relay was chosen
	Reply   Reply  // zero where none came
	Err     error  // the cause beneath; may be nil where Reply says it all
}

// Error gives outcome, stage, relay, reply and cause on one line.
func (e *Error) Error() string {
	return e.Outcome.String() + " at " + e.where()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinel of the outcome.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRejected:
		return e.Outcome == Rejected
	case ErrDeferred:
		return e.Outcome == Deferred
	case ErrInDoubt:
		return e.Outcome == InDoubt
	case ErrNotAttempted:
		return e.Outcome == NotAttempted
	}
	return false
}
