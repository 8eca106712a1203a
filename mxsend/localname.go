package mxsend

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// loopbackName stands in EHLO where the machine has no name that could.
const loopbackName = "[127.0.0.1]"

// defaultLocalName is the machine's name, if it could stand in EHLO.
func defaultLocalName() string {
	name, err := os.Hostname()
	if name = strings.TrimSuffix(name, "."); err != nil || checkLocalName(name) != nil {
		return loopbackName
	}
	return name
}

// checkLocalName refuses what could not stand in EHLO (RFC 5321 §4.1.1.1): it is a
// domain, or an address literal (§4.1.3).
func checkLocalName(name string) error {
	bad := func(why string) error { return fmt.Errorf("mxsend: Config.LocalName %.300q %s", name, why) }
	if literal, ok := strings.CutPrefix(name, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		tag, v6 := "IPv6:", false
		if len(literal) >= len(tag) && strings.EqualFold(literal[:len(tag)], tag) {
			literal, v6 = literal[len(tag):], true
		}
		addr, err := netip.ParseAddr(literal)
		switch {
		case !closed || err != nil || addr.Zone() != "" || v6 && !addr.Is6():
			return bad("is no address literal; write it as [192.0.2.9] or [IPv6:2001:db8::9]")
		case !v6 && addr.Is6():
			return bad("is no address literal; an IPv6 one is written as [IPv6:" + addr.String() + "]")
		}
		return nil
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Is6() {
			return bad("is an address; as a literal it is written as [IPv6:" + addr.WithZone("").String() + "]")
		}
		return bad("is an address; as a literal it is written as [" + addr.String() + "]")
	}
	switch {
	case !isASCII(name):
		return bad("is not in ASCII; write its A-labels (xn--…)")
	case strings.Contains(name, ":"):
		return bad("is no host name; leave the port out")
	case strings.HasSuffix(name, "."):
		return bad("is no host name; leave the final dot out")
	case len(name) > 255, !senderauth.IsHostName(strings.ToLower(name)), strings.Contains(name, "_"), strings.Contains("."+name+".", ".-"), strings.Contains("."+name+".", "-."):
		return bad("is no host name (RFC 5321 §4.1.2: letters, digits and hyphens in labels of 1 to 63, at most 255 octets)")
	}
	return nil
}

// unqualified says what is to be said of a name that relays may well refuse; "" of one
// that is fully qualified.
func unqualified(name string) string {
	switch {
	case name == loopbackName:
		return "the name in EHLO is the loopback address"
	case name[0] != '[' && !strings.Contains(name, "."):
		return fmt.Sprintf("the name in EHLO, %q, is not fully qualified", name)
	}
	return ""
}

const unqualifiedAdvice = "set Config.LocalName to the fully qualified name of this machine: many relays refuse others (Postfix: reject_non_fqdn_helo_hostname)"

// checkLocalName warns of a name in EHLO that relays may refuse.
func (c *Client) checkLocalName() []Finding {
	found := unqualified(c.cfg.LocalName)
	if found == "" {
		return nil
	}
	return []Finding{{Severity: SeverityWarning, Topic: TopicHello, Subject: "Config.LocalName", Found: found, Advice: unqualifiedAdvice}}
}
