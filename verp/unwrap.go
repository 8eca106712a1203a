package verp

import "strings"

// Unwrap returns the address inside one that a relay or forwarder has
// rewritten, and whether there was one:
//
//   - BATV: prvs=0123abcdef=user@example.com, the older order
//     prvs=user/0123abcdef@example.com, and btv1==0123abcdef==user@example.com
//   - SRS: SRS0=hash=tt=example.com=user@forwarder.example, also with '+' or
//     '-' behind SRS0, and SRS1, which wraps an SRS0 address once more
//
// The wrapping's own signature is the rewriter's and cannot be checked here.
func Unwrap(address string) (inner string, wrapped bool) {
	local, domain, ok := splitAddress(address)
	if !ok {
		return address, false
	}
	if l, ok := batvLocal(local); ok {
		return l + "@" + domain, true
	}
	if a, ok := srsAddress(local); ok {
		return a, true
	}
	return address, false
}

// batvLocal removes BATV from a local part (draft-levine-smtp-batv-01).
func batvLocal(local string) (inner string, ok bool) {
	if hasPrefixFold(local, "prvs=") {
		rest := local[len("prvs="):]
		if tag, inner, found := strings.Cut(rest, "="); found && isBATVTag(tag) && inner != "" {
			return inner, true
		}
		if i := strings.LastIndexByte(rest, '/'); i > 0 && isBATVTag(rest[i+1:]) {
			return rest[:i], true
		}
		return "", false
	}
	if hasPrefixFold(local, "btv1==") {
		if _, inner, found := strings.Cut(local[len("btv1=="):], "=="); found && inner != "" {
			return inner, true
		}
	}
	return "", false
}

// isBATVTag: a key digit, three digits of day, six or more of signature.
func isBATVTag(tag string) bool {
	if len(tag) < 8 || len(tag) > 20 {
		return false
	}
	for i := range len(tag) {
		if !isAlnum(tag[i]) {
			return false
		}
	}
	return true
}

// srsAddress reads SRS0 and SRS1 local parts.
func srsAddress(local string) (address string, ok bool) {
	if len(local) < 6 || !hasPrefixFold(local, "srs") || strings.IndexByte("=+-", local[4]) < 0 {
		return "", false
	}
	rest := local[5:]
	if local[3] == '1' {
		// SRS1=hash=forwarder==hash=tt=domain=user
		_, srs0, found := strings.Cut(rest, "==")
		if !found {
			return "", false
		}
		rest = srs0
	} else if local[3] != '0' {
		return "", false
	}
	f := strings.SplitN(rest, "=", 4) // hash, time, domain, local part
	if len(f) != 4 || f[2] == "" || f[3] == "" {
		return "", false
	}
	return f[3] + "@" + f[2], true
}
