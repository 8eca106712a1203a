package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A snapshot is what the overview shows; its JSON form is the API's.
type snapshot struct {
	Domain       string        `json:"domain"`
	DNS          string        `json:"dns"`
	Now          time.Time     `json:"now"` // on the cluster's clock
	Ahead        string        `json:"ahead,omitempty"`
	Counts       counts        `json:"counts"`
	Relays       []relay       `json:"relays"`
	Destinations []destination `json:"destinations"`
	Others       int           `json:"others"` // destinations that are not among those
	Done         []deed        `json:"done"`

	Flow, Queues page.Plot    `json:"-"`
	Latest       []mailRow    `json:"-"`
	Answers      []answerKind `json:"-"`
}

// A relay is a row of the table of relays.
type relay struct {
	ID           string   `json:"id"` // "p1"
	Name         string   `json:"name"`
	Address      string   `json:"address"` // to connect to
	Graveyard    bool     `json:"graveyard"`
	Preference   *int     `json:"preference,omitempty"` // nil: no MX record
	Share        string   `json:"share,omitempty"`      // of what all took from clients in the last minute
	State        string   `json:"state"`
	Sessions     int      `json:"sessions"`
	Waiting      int      `json:"waiting"`
	Transactions int      `json:"transactions"`
	Incoming     int      `json:"incoming"`
	Active       int      `json:"active"`
	Deferred     int      `json:"deferred"`
	Accepted     int      `json:"accepted"` // mails from clients
	Refuses      []string `json:"refuses,omitempty"`
	Buttons      []button `json:"-"`
}

// A destination is a row of the table of destinations.
type destination struct {
	Domain  string   `json:"domain"`
	Answers []string `json:"answers"`
	Plain   bool     `json:"-"` // takes every mail
	places
}

// places are the numbers of recipients in each place.
type places struct {
	Delivered int `json:"delivered"`
	Queued    int `json:"queued"`
	Deferred  int `json:"deferred"`
	Bounced   int `json:"bounced"`
	Lost      int `json:"lost"`
}

func (p places) all() int { return p.Delivered + p.Queued + p.Deferred + p.Bounced + p.Lost }

// counts are the totals of the ledger.
type counts struct {
	Mails    int `json:"mails"`
	Accepted int `json:"accepted"`
	places
	AtGraveyards  int `json:"at_graveyards"`
	HandedOver    int `json:"handed_over"`
	Expired       int `json:"expired"`
	Duplicates    int `json:"duplicates"`
	Notifications int `json:"notifications"`
}

func newCounts(n mxtest.Counts) counts {
	return counts{
		Mails: n.Mails, Accepted: n.Accepted, places: places{n.Delivered, n.Queued, n.Deferred, n.Bounced, n.Lost},
		AtGraveyards: n.AtGraveyard, HandedOver: n.HandedOver, Expired: n.Expired, Duplicates: n.Duplicates, Notifications: n.Notifications,
	}
}

// snapshot looks at the cluster.
func (d *Desk) snapshot() snapshot {
	c := d.cluster
	totals := c.Ledger().Counts()
	s := snapshot{Domain: c.Domain(), DNS: c.DNSAddr(), Now: c.Now(), Counts: newCounts(totals), Answers: answers}
	if ahead := time.Until(s.Now).Round(time.Second); ahead > 0 {
		s.Ahead = span(ahead)
	}
	preference := map[string]int{}
	for _, mx := range c.DNS().MX(c.Domain()) {
		preference[mx.Host] = int(mx.Preference)
	}
	before := d.past.ago(60).ByRelay
	lately := 0
	for name, n := range totals.ByRelay {
		lately += n - before[name]
	}
	for _, r := range c.Relays() {
		at := r.Status()
		row := relay{
			ID: short(r), Name: r.Name(), Address: r.ListenAddr(), Graveyard: r.Graveyard(), State: at.State.String(), Sessions: at.Sessions,
			Waiting: at.Waiting, Transactions: at.Transactions, Incoming: at.Queues.Incoming, Active: at.Queues.Active, Deferred: at.Queues.Deferred,
			Accepted: totals.ByRelay[r.Name()], Refuses: refuses(at), Buttons: buttons(at, r.Graveyard()),
		}
		if p, ok := preference[r.Name()]; ok {
			row.Preference = &p
		}
		if lately > 0 && !r.Graveyard() {
			row.Share = fmt.Sprintf("%d %%", (100*(row.Accepted-before[r.Name()])+lately/2)/lately)
		}
		s.Relays = append(s.Relays, row)
	}
	s.Destinations, s.Others = destinations(c)
	for _, m := range c.Ledger().Search(mxtest.Query{Limit: 8}) {
		s.Latest = append(s.Latest, newMailRow(m))
	}
	s.Flow, s.Queues = d.past.plots()
	d.mu.Lock()
	s.Done = append([]deed{}, d.done...)
	d.mu.Unlock()
	return s
}

// mostDestinations bounds the table of destinations.
const mostDestinations = 50

// destinations are the rows of the table, those with a script first, then by how much mail they got; and how many are left out.
func destinations(c *mxtest.Cluster) (rows []destination, others int) {
	rows = []destination{}
	for _, dest := range c.Destinations() {
		n := c.Ledger().DestinationCounts(dest.Domain())
		row := destination{Domain: dest.Domain(), places: places{n.Delivered, n.Queued, n.Deferred, n.Bounced, n.Lost}}
		for _, rule := range dest.Rules() {
			row.Answers = append(row.Answers, ruleText(rule))
		}
		if row.Plain = len(row.Answers) == 0; row.Plain {
			row.Answers = []string{mxtest.Accept().String()}
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b destination) int {
		switch {
		case a.Plain && b.Plain:
			return b.all() - a.all()
		case a.Plain:
			return 1
		case b.Plain:
			return -1
		}
		return 0
	})
	if others = len(rows) - mostDestinations; others > 0 {
		return rows[:mostDestinations], others
	}
	return rows, 0
}

// refuses says what a relay turns away, and what goes wrong with it.
func refuses(at mxtest.RelayStatus) []string {
	var list []string
	add := func(n int, format string) {
		if n > 0 {
			list = append(list, fmt.Sprintf(format, n))
		}
	}
	l := at.Limits
	add(l.Connections, "421 over %d sessions")
	add(l.ClientConnections, "421 over %d sessions of a client")
	add(l.ConnectionRate, "421 over %d sessions a second")
	add(l.MessageRate, "450 over %d mails a second")
	add(l.Messages, "452 over %d mails in its queues")
	add(l.MessageSize, "552 over %d octets")
	add(l.Recipients, "452 over %d recipients")
	if l.Accept > 0 {
		list = append(list, fmt.Sprintf("takes %v for a mail", l.Accept))
	}
	for _, f := range at.Faults {
		list = append(list, f.String())
	}
	return list
}

// ruleText says what a line of a destination's script does.
func ruleText(rule mxtest.Rule) string {
	var when []string
	if rule.Recipient != "" {
		when = append(when, rule.Recipient)
	}
	if rule.Host > 0 {
		when = append(when, fmt.Sprintf("host %d", rule.Host))
	}
	if rule.First > 0 || rule.Last > 0 {
		when = append(when, fmt.Sprintf("attempts %d to %d", rule.First, rule.Last))
	}
	if rule.After > 0 || rule.Until > 0 {
		when = append(when, fmt.Sprintf("from %v to %v", rule.After, rule.Until))
	}
	if len(when) == 0 {
		return rule.Do.String()
	}
	return strings.Join(when, ", ") + ": " + rule.Do.String()
}

// short is a relay's name without the domain: "p1".
func short(r *mxtest.Relay) string {
	name, _, _ := strings.Cut(r.Name(), ".")
	return name
}

// span writes a time for people: "5 d 3 h", "2 min".
func span(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.d; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.d
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
