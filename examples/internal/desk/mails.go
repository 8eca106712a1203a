package desk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// Bounds on what a list of mails shows, and on how long a client of the API may wait.
const (
	listed  = 100
	mostAPI = 1000
	longest = 5 * time.Minute
)

// A mailRow is a mail in a list.
type mailRow struct {
	ID         string      `json:"id"` // queue id at the relay that took it
	Accepted   time.Time   `json:"accepted"`
	Relay      string      `json:"relay"`
	Subject    string      `json:"subject"`
	MessageID  string      `json:"message_id"`
	ReturnPath string      `json:"return_path"`
	Client     string      `json:"client"`
	ClientAddr string      `json:"client_addr"`
	TLS        bool        `json:"tls"`
	Size       int         `json:"size"`
	Recipients []recipient `json:"recipients"`
}

// A recipient is one of a mail, with its way.
type recipient struct {
	Address  string    `json:"address"`
	Place    string    `json:"place"`
	Relay    string    `json:"relay"`
	Attempts int       `json:"attempts"`
	Status   string    `json:"status"`
	Reply    string    `json:"reply"`
	Next     time.Time `json:"next,omitzero"`
	Done     time.Time `json:"done,omitzero"`
	Way      []hop     `json:"way"`
}

type hop struct {
	Relay    string    `json:"relay"`
	QueueID  string    `json:"queue_id"`
	Arrived  time.Time `json:"arrived"`
	Attempts []attempt `json:"attempts"`
}

type attempt struct {
	Time   time.Time `json:"time"`
	Status string    `json:"status"`
	Reply  string    `json:"reply"`
}

// newMailRow brings a mail into the form of the page and of the API.
func newMailRow(m mxtest.Mail) mailRow {
	row := mailRow{
		ID: m.QueueID, Accepted: m.Accepted, Relay: m.Relay, Subject: m.Subject, MessageID: m.MessageID, ReturnPath: m.ReturnPath,
		Client: m.Client, ClientAddr: m.ClientAddr, TLS: m.TLS, Size: m.Size,
	}
	for _, to := range m.Recipients {
		r := recipient{Address: to.Address, Place: to.Place.String(), Relay: to.Relay, Attempts: to.Attempts, Status: to.Status, Reply: to.Reply, Next: to.Next, Done: to.Done}
		for _, h := range to.Way {
			at := hop{Relay: h.Relay, QueueID: h.QueueID, Arrived: h.Arrived, Attempts: []attempt{}}
			for _, a := range h.Attempts {
				at.Attempts = append(at.Attempts, attempt(a))
			}
			r.Way = append(r.Way, at)
		}
		row.Recipients = append(row.Recipients, r)
	}
	return row
}

// Places are the different places of its recipients.
func (m mailRow) Places() []string {
	var places []string
	for _, to := range m.Recipients {
		if !slices.Contains(places, to.Place) {
			places = append(places, to.Place)
		}
	}
	return places
}

// To are the recipients in a line.
func (m mailRow) To() string {
	if len(m.Recipients) == 1 {
		return m.Recipients[0].Address
	}
	return fmt.Sprintf("%s and %d more", m.Recipients[0].Address, len(m.Recipients)-1)
}

// A mailList is the answer to a search.
type mailList struct {
	Mails []mailRow `json:"mails"`
	More  bool      `json:"more"` // there are older ones

	Query  map[string]string `json:"-"`
	Places []string          `json:"-"`
}

// mails answers a search. With wait= it answers when something was found, or after that time.
func (d *Desk) mails(w http.ResponseWriter, r *http.Request) {
	q, wait, problem := readQuery(r)
	if problem != "" {
		d.fail(w, r, http.StatusBadRequest, problem)
		return
	}
	limit := q.Limit
	q.Limit++ // one more tells whether there are more
	found := d.search(r.Context(), q, wait)
	list := mailList{Mails: []mailRow{}, More: len(found) > limit, Query: map[string]string{}, Places: placeNames()}
	for _, m := range found[:min(limit, len(found))] {
		list.Mails = append(list.Mails, newMailRow(m))
	}
	for name := range r.URL.Query() {
		list.Query[name] = r.URL.Query().Get(name)
	}
	d.show(w, r, "mails.html", view{Title: "Mails", Here: "/mails", Refresh: true, Data: list})
}

// search looks for mails, until it finds some or has waited for so long. It looks now and then, and not at each change, of
// which there may be thousands a second.
func (d *Desk) search(ctx context.Context, q mxtest.Query, wait time.Duration) []mxtest.Mail {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		found := d.cluster.Ledger().Search(q)
		if len(found) > 0 || wait == 0 {
			return found
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// readQuery reads what is looked for.
func readQuery(r *http.Request) (q mxtest.Query, wait time.Duration, problem string) {
	values := r.URL.Query()
	q = mxtest.Query{
		Text: values.Get("q"), Recipient: values.Get("to"), Subject: values.Get("subject"), ReturnPath: values.Get("return_path"),
		MessageID: values.Get("message_id"), QueueID: values.Get("queue_id"), Limit: listed,
	}
	if name := values.Get("place"); name != "" {
		i := slices.Index(placeNames(), name)
		if i < 0 {
			return q, 0, fmt.Sprintf("place=%.40q is none of %s", name, strings.Join(placeNames(), ", "))
		}
		q.Place = mxtest.Place(i + 1)
	}
	var err error
	if text := values.Get("after"); text != "" {
		if q.After, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return q, 0, fmt.Sprintf("after=%.40q is no time such as 2026-01-31T15:04:05Z", text)
		}
	}
	if text := values.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > longest {
			return q, 0, fmt.Sprintf("wait=%.40q is no time from 0s to %v", text, longest)
		}
	}
	if text := values.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > mostAPI {
			return q, 0, fmt.Sprintf("limit=%.40q is no number from 1 to %d", text, mostAPI)
		}
	}
	return q, wait, ""
}

// placeNames are the places of mail, in the order of their numbers.
func placeNames() []string {
	var names []string
	for p := mxtest.Queued; p <= mxtest.Lost; p++ {
		names = append(names, p.String())
	}
	return names
}
