package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestOrders(t *testing.T) {
	s, err := newShop(t.Context(), t.TempDir()+"/shop.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	page := func(path string) string {
		t.Helper()
		r, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for email, want := range map[string]string{
		"Jane <jane@example.test>": "confirmation: accepted by p",
		"gone@example.test":        "came back: failed, mailbox-unknown",
	} {
		r, err := http.PostForm(server.URL+"/orders", url.Values{"email": {email}, "item": {"a book\r\nBcc: x@example.test"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", email, r.Status)
		}
		text := ""
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(text, want); time.Sleep(10 * time.Millisecond) {
			if text = page(r.Header.Get("Location")); time.Now().After(deadline) {
				t.Fatalf("want %q in %q", want, text)
			}
		}
	}
	r, err := http.PostForm(server.URL+"/orders", url.Values{"email": {"nobody"}})
	if err != nil || r.StatusCode != http.StatusBadRequest {
		t.Errorf("an order without an address: %v, %v", r.Status, err)
	}
	_ = r.Body.Close()
	if got := page("/orders/99"); !strings.Contains(got, "404") {
		t.Errorf("an order that is not there: %q", got)
	}
}
