package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"strconv"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.place)
	mux.HandleFunc("GET /orders/{id}", s.show)
	return mux
}

// place stores the order and its mail, or neither.
func (s *shop) place(w http.ResponseWriter, r *http.Request) {
	to, err := mail.ParseAddress(r.PostFormValue("email"))
	if err != nil {
		http.Error(w, "give an email address", http.StatusBadRequest)
		return
	}
	id, err := s.order(r.Context(), to, r.PostFormValue("item"))
	if err != nil {
		http.Error(w, "the order could not be taken; nothing was stored and no mail was sent", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/orders/%d", id))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "order %d\n", id)
}

func (s *shop) order(ctx context.Context, to *mail.Address, item string) (id int64, err error) {
	tx, err := s.box.DB().BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := tx.QueryRowContext(ctx, "INSERT INTO orders (email, item) VALUES ($1, $2) RETURNING id", to.Address, item).Scan(&id); err != nil {
		return 0, err
	}
	_, err = s.box.Enqueue(ctx, tx, outbox.Mail{Ref: ref(id), To: to.Address, Content: confirmation(to, id, item)})
	if err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

// ref is how the mail is found again, and what keeps it from being sent twice.
func ref(id int64) string { return fmt.Sprintf("order-%d", id) }

func confirmation(to *mail.Address, id int64, item string) []byte {
	return fmt.Appendf(nil, "From: Shop <orders@shop.test>\r\nTo: %s\r\nDate: %s\r\nSubject: Your order %d\r\n"+
		"Message-ID: <order-%d@shop.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+
		"Thank you. You will get: %s\r\n", to, time.Now().Format(time.RFC1123Z), id, id, item)
}

// show says what became of the mail.
func (s *shop) show(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	var email, item string
	err = s.box.DB().QueryRowContext(r.Context(), "SELECT email, item FROM orders WHERE id = $1", id).Scan(&email, &item)
	if errors.Is(err, sql.ErrNoRows) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "please try again", http.StatusServiceUnavailable)
		return
	}
	m, err := s.box.MailByRef(r.Context(), ref(id))
	if err != nil {
		http.Error(w, "please try again", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "order %d: %q for %s\nconfirmation: %s", id, item, email, m.Outcome)
	if m.Relay != "" {
		fmt.Fprintf(w, " by %s as %s", m.Relay, m.QueueID)
	}
	if m.Note != "" {
		fmt.Fprintf(w, " (%s)", m.Note)
	}
	if m.Returned != bounce.NotABounce {
		fmt.Fprintf(w, "\ncame back: %s, %s", m.Returned, m.Category)
	}
	fmt.Fprintln(w)
}
