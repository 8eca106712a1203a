package dashboard

import (
	"encoding/csv"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

// address is the form of the search.
func (h *handler) address(w http.ResponseWriter, r *http.Request) {
	h.write(w, http.StatusOK, "address.html", view{Title: "Search an address", Here: "address", Data: dict("Asked", "")})
}

// find searches an address. It is posted, so that it is in no URL.
func (h *handler) find(w http.ResponseWriter, r *http.Request) {
	asked := strings.TrimSpace(r.PostFormValue("address"))
	found, err := h.box.Find(r.Context(), asked)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	suppressed, err := h.box.Suppressed(r.Context(), asked)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.options.Logger.Info("outbox dashboard: a search", "actor", h.options.Actor(r), "mails", len(found))
	h.write(w, http.StatusOK, "address.html", view{Title: "Search an address", Here: "address",
		Data: dict("Asked", asked, "Shown", h.shown(asked), "Found", found, "Suppressed", suppressed)})
}

// shown is an address as it is shown.
func (h *handler) shown(address string) string {
	if h.options.Addresses {
		return address
	}
	return mask(address)
}

// csv answers with the recipients of a mailing who have an outcome.
func (h *handler) csv(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	outcome, err := outbox.ParseOutcome(r.FormValue("outcome"))
	if err != nil {
		h.problem(w, r, badRequest{http.StatusBadRequest, "There is no such outcome."})
		return
	}
	if _, err := h.look(r.Context(), name); err != nil { // before the answer begins
		h.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name + " " + outcome.String() + ".csv"}))
	var out io.Writer = w
	done := func(err error) error { return err }
	if !h.options.Addresses {
		out, done = maskCSV(w)
	}
	if err := done(h.box.Export(r.Context(), name, outbox.Filter{Outcomes: []outbox.Outcome{outcome}}, out)); err != nil {
		if r.Context().Err() == nil {
			h.options.Logger.Error("outbox dashboard: CSV", "mailing", name, "error", err)
		}
		panic(http.ErrAbortHandler) // so that the file is not taken for whole
	}
}

// maskCSV masks the column "address" of what is written. done waits for the rest, and returns the first error.
func maskCSV(w io.Writer) (out io.Writer, done func(error) error) {
	read, write := io.Pipe()
	result := make(chan error, 1)
	go func() {
		result <- maskLines(read, w)
		_ = read.Close() // who still writes hears of it
	}()
	return write, func(err error) error {
		_ = write.CloseWithError(err) // nil: the end of the file
		return errors.Join(err, <-result)
	}
}

func maskLines(from io.Reader, to io.Writer) error {
	in, out := csv.NewReader(from), csv.NewWriter(to)
	column := -1
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			out.Flush()
			return out.Error()
		} else if err != nil {
			return err
		}
		if column < 0 {
			for i, name := range record {
				if name == "address" {
					column = i
				}
			}
			if column < 0 {
				return errors.New("the CSV has no column of addresses")
			}
		} else if record[column] != "" {
			record[column] = mask(record[column])
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
}
