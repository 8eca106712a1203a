// Package interop holds no code: its tests run the client against servers that
// are not this project's, go-smtp's, Postfix's smtp-sink, real Postfix and Exim,
// and compare every outcome with what the server counted. They are always
// compiled; where a program is missing, or root's rights are, a test is skipped
// and says why.
package interop
