package postfix

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A world is what lies around the relays: DNS and sinks.
type world struct {
	t    *testing.T
	wg   sync.WaitGroup
	stop []func()

	mu    sync.Mutex // guards below
	zone  map[string][]string
	codes map[string]int
	next  int
	kept  map[string][]string // content by recipient
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, zone: map[string][]string{}, codes: map[string]int{}, kept: map[string][]string{}, next: 1}
	t.Cleanup(func() {
		for _, f := range w.stop {
			f()
		}
		w.wg.Wait()
	})
	return w
}

// host makes a name for an address.
func (w *world) host(name, ip string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zone[name+" A"] = []string{name + ". 60 IN A " + ip}
}

// destination opens the sinks of a domain.
func (w *world) destination(domain string, s sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.dns != 0 {
		w.codes[domain] = s.dns
		return
	}
	if s.nullMX {
		w.zone[domain+" MX"] = []string{domain + ". 60 IN MX 0 ."}
		return
	}
	for i, one := range []*sink{&s, s.second} {
		if one == nil {
			continue
		}
		ip, host := fmt.Sprintf("127.0.78.%d", w.next), "mx."+domain
		if i > 0 {
			host = fmt.Sprintf("mx%d.%s", i+1, domain)
		}
		w.next++
		w.zone[domain+" MX"] = append(w.zone[domain+" MX"], fmt.Sprintf("%s. 60 IN MX %d %s.", domain, 10*(i+1), host))
		w.zone[host+" A"] = []string{host + ". 60 IN A " + ip}
		if !one.none {
			w.listen(ip+":25", one)
		}
	}
}

// serveDNS answers on 127.0.0.53.
func (w *world) serveDNS() {
	handler := dns.HandlerFunc(func(rw dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
		w.mu.Lock()
		code, broken := w.codes[name]
		records, found := w.zone[name+" "+dns.TypeToString[q.Question[0].Qtype]]
		_, a := w.zone[name+" A"]
		_, mx := w.zone[name+" MX"]
		w.mu.Unlock()
		switch {
		case broken:
			m.Rcode = code
		case found:
			for _, r := range records {
				rr, err := dns.NewRR(r)
				if err != nil {
					panic(err)
				}
				m.Answer = append(m.Answer, rr)
			}
		case !a && !mx:
			m.Rcode = dns.RcodeNameError
		}
		rw.WriteMsg(m)
	})
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: "127.0.0.53:53", Net: network, Handler: handler}
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		w.wg.Go(func() {
			if err := server.ListenAndServe(); err != nil {
				w.t.Error(err)
			}
		})
		<-started
		w.stop = append(w.stop, func() { server.Shutdown() })
	}
}

// listen opens a sink.
func (w *world) listen(address string, s *sink) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop = append(w.stop, func() { l.Close() })
	first := map[string]time.Time{} // by client and recipient, for greylisting
	w.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				w.session(conn, s, first)
			})
		}
	})
}

// session is a session with a sink.
func (w *world) session(conn net.Conn, s *sink, first map[string]time.Time) {
	c := smtpwire.NewServerConn(conn)
	defer c.Flush()
	if s.silent {
		c.Drain()
		return
	}
	// at says what the script has for a stage, and reports whether the session goes on and whether all is well.
	at := func(stage mxtest.Stage, code int, text string) (on, well bool) {
		if s.at != stage {
			c.Reply(code, "", text)
			return true, true
		}
		if s.reply == "" {
			return false, false
		}
		c.Raw(s.reply + "\r\n")
		return !strings.HasPrefix(s.reply, "421") && stage != mxtest.AtGreeting, false
	}
	if on, _ := at(mxtest.AtGreeting, 220, "sink ESMTP"); !on {
		return
	}
	var to []string
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		cmd := smtpwire.ParseServerCommand(line)
		on := true
		switch cmd.Verb {
		case "EHLO":
			c.Reply(250, "", "sink", "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME")
		case "MAIL":
			to = nil
			on, _ = at(mxtest.AtMail, 250, "2.1.0 Ok")
		case "RCPT":
			path, _ := smtpwire.ParseServerPath(cmd.Arg, "TO")
			local, _, _ := strings.Cut(path.Address, "@")
			if reply := s.byLocal[local]; reply != "" {
				c.Raw(reply + "\r\n")
				continue
			}
			if s.grey > 0 && !w.known(first, conn.RemoteAddr().(*net.TCPAddr).IP.String()+path.Address, s.grey) {
				c.Reply(450, "4.7.1", "Greylisted, come back later")
				continue
			}
			var well bool
			if on, well = at(mxtest.AtRcpt, 250, "2.1.5 Ok"); well {
				to = append(to, path.Address)
			}
		case "DATA":
			if len(to) == 0 {
				c.Reply(554, "5.5.1", "no valid recipients")
				continue
			}
			var well bool
			if on, well = at(mxtest.AtData, 354, "go on"); !well {
				break
			}
			if s.at == mxtest.AtContent {
				c.Await()
				return
			}
			content, err := c.ReadContent(nil, 1<<20)
			if err != nil {
				return
			}
			if on, well = at(mxtest.AtDot, 250, "2.0.0 Ok"); well {
				w.mu.Lock()
				for _, address := range to {
					w.kept[address] = append(w.kept[address], string(content.Octets))
				}
				w.mu.Unlock()
			}
		case "QUIT":
			c.Reply(221, "2.0.0", "Bye")
			return
		default:
			c.Reply(250, "2.0.0", "Ok")
		}
		if !on {
			return
		}
	}
}

// known reports whether a triple has waited long enough.
func (w *world) known(first map[string]time.Time, key string, wait time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, ok := first[key]
	if !ok {
		first[key] = time.Now()
	}
	return ok && time.Since(since) >= wait
}

// got gives what a sink has taken for a recipient.
func (w *world) got(address string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.kept[address]...)
}
