// Package verp makes and reads return paths: envelope sender addresses that
// tell, when a bounce comes back to them days later, which recipient of which
// mail it is about.
//
// # Signed tokens
//
// A [Codec] writes an id of up to 16 octets of the caller's choice, the day of
// issue and a truncated HMAC-SHA-256 into the local part:
//
//	b+aebsgaaaaaaaaaasm7bnygz7vltbmjd7u4@bounce.example.com
//
// [Codec.Decode] tells apart what comes back: genuine (nil error), genuine but
// too old ([ErrExpired]), made up by somebody ([ErrForged]) and not one of
// these addresses at all ([ErrForeign]). Only a genuine token may ever count
// against a recipient: anyone can write a mail that looks like a bounce.
//
// The id is signed, not encrypted. Everybody who sees the return path can
// decode it, so it should be a number that means nothing outside: see
// [FromUint64] and [FromUUID].
//
// [Codec.MessageID] puts the same token into the Message-ID. Complaints
// (feedback reports) often have the return path removed but keep the
// Message-ID, which is covered by the mail's DKIM signature.
//
// # Plain VERP
//
// [EncodePlain] and [DecodePlain] handle the classic form, the recipient
// itself in the return path, as Postfix, qmail and ezmlm write it. It is
// readable and anyone can forge it: use it for compatibility, and treat what
// it says as unverified.
//
// # In tests
//
// Tokens are made and read by [Config.Now], of whatever year: in a synctest
// bubble, whose clock starts in 2000, nothing has to be set.
//
// # Bugs
//
// The day of issue has a resolution of one day, so a token lives up to a day
// longer than [Config.Validity]. Secrets are not wiped from memory: the
// garbage collector may have copied them anyway.
package verp
