package bounce

// Limits of Parse. A genuine report stays far below them; what lies beyond is
// ignored and the Report marked Truncated.
const (
	maxInput      = 1 << 20 // octets read of a message
	maxHeader     = 64 << 10
	maxDepth      = 10
	maxParts      = 100
	maxRecipients = 1000
	maxGroups     = 3000    // of fields of a DSN
	maxDiagnostic = 1000    // octets of a Recipient's Diagnostic
	maxDecoded    = 1 << 20 // octets that all transfer encodings together may yield
	maxText       = 256 << 10
	maxSubject    = 4 << 10
	maxAddress    = 254     // octets (RFC 5321 §4.5.3.1.3, without the angle brackets)
	maxSegments   = 8       // pieces of a notice's text about one recipient
	maxSegment    = 4 << 10 // octets of one
)
