package bounce

import "strings"

// markOwnRelays changes the category of what the sender's own relays refused.
func (p Parser) markOwnRelays(report *Report) {
	if len(p.OwnRelays) == 0 {
		return
	}
	for i := range report.Recipients {
		r := &report.Recipients[i]
		if r.Category == None {
			continue
		}
		remote := r.RemoteMTA
		if remote == "" {
			remote = saidBy(r.Diagnostic)
		}
		for _, own := range p.OwnRelays {
			if isHostOf(remote, own) {
				r.Category, r.Evidence, r.Permanent = OwnRelay, "remote MTA is one of the sender's relays", false
				break
			}
		}
	}
}

// isHostOf reports whether host is the relay own, or lies below it where own
// starts with a dot.
func isHostOf(host, own string) bool {
	host, own = strings.TrimSuffix(host, "."), strings.TrimSuffix(own, ".")
	if strings.HasPrefix(own, ".") {
		return len(host) > len(own) && strings.EqualFold(host[len(host)-len(own):], own)
	}
	return own != "" && strings.EqualFold(host, own)
}

// saidBy finds the host in Postfix's "host mx.example.net[192.0.2.1] said:",
// and in "connect to mx.example.net[192.0.2.1]:25:".
func saidBy(diagnostic string) string {
	for _, prefix := range [...]string{"host ", "connect to "} {
		rest, ok := strings.CutPrefix(diagnostic, prefix)
		if !ok {
			continue
		}
		if i := strings.IndexAny(rest, "[ :"); i > 0 {
			return rest[:i]
		}
	}
	return ""
}
