package mxdns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	defaultTimeout  = 2 * time.Second
	defaultAttempts = 2
	maxServers      = 8
	rereadAfter     = 5 * time.Second // how often the system's configuration is looked at, at most
)

// roster is which servers to ask.
type roster struct {
	servers  []string // addresses with port
	timeout  time.Duration
	attempts int // rounds over all servers
}

// parseServer reads "ip", "ip:port" or "[ipv6]:port".
func parseServer(s string) (string, error) {
	host, port := s, "53"
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if inner, ok := strings.CutPrefix(s, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	ip, err := netip.ParseAddr(host)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 || strings.ContainsAny(ip.Zone(), "[]:") {
		return "", fmt.Errorf("name server %q: give an IP address, with or without a port: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353", s)
	}
	return netip.AddrPortFrom(ip, uint16(n)).String(), nil
}

// servers knows the name servers and which of them answered last. It is safe for concurrent use.
type servers struct {
	path string // of resolv.conf; empty: the roster is fixed
	base roster // what Config says; zero fields are left to the file

	mu      sync.Mutex // guards the rest; nothing waits under it
	roster  roster
	first   int // the server to ask first: the last one that answered
	checked time.Time
	modTime time.Time
	size    int64
}

// current returns the servers in the order to ask them. An empty roster means that the system names none.
func (s *servers) current() roster {
	s.reread()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roster
	r.servers = append(append([]string(nil), r.servers[s.first:]...), r.servers[:s.first]...)
	return r
}

// answered and failed move the server to ask first: away from one that fails, to one that answers.
func (s *servers) answered(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, known := range s.roster.servers {
		if known == server {
			s.first = i
		}
	}
}

// reread reads resolv.conf if it has changed.
func (s *servers) reread() {
	if s.path == "" {
		return
	}
	now := time.Now()
	s.mu.Lock()
	due := s.checked.IsZero() || now.Sub(s.checked) >= rereadAfter
	if due {
		s.checked = now
	}
	modTime, size := s.modTime, s.size
	s.mu.Unlock()
	if !due {
		return
	}
	info, err := os.Stat(s.path)
	if err == nil && info.ModTime().Equal(modTime) && info.Size() == size {
		return
	}
	fresh := s.base
	if err == nil {
		fresh = readResolvConf(s.path, s.base)
		modTime, size = info.ModTime(), info.Size()
	} else {
		modTime, size = time.Time{}, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roster, s.first, s.modTime, s.size = fresh, 0, modTime, size
}

// readResolvConf reads resolv.conf(5); what base sets takes precedence. Lines that name no IP address are
// passed over, as the C library does.
func readResolvConf(path string, base roster) roster {
	r := base
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return r
	}
	for _, s := range conf.Servers {
		if server, err := parseServer(s); err == nil && len(r.servers) < maxServers {
			r.servers = append(r.servers, server)
		}
	}
	if r.timeout == 0 {
		r.timeout = time.Duration(min(conf.Timeout, 30)) * time.Second
	}
	if r.attempts == 0 {
		r.attempts = min(conf.Attempts, 5)
	}
	return r
}
