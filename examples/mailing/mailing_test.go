package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == senderCommand { // the demonstration has started this program again
		if err := run(context.Background(), os.Args[1:], io.Discard, os.Stderr); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-n", "2000"}, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"newsletter: done, 2000 recipients", "0 recipients disagree, 0 were sent to twice"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, &out)
		}
	}
}

func TestSendStatusPause(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := filepath.Join(dir, "o.db")
	list := write("list.csv", "email,name\njane@example.test,Jane\nbroken\nbob@example.test,Bob\n")
	write("news.subject", "Hello {{.Data.name}}")
	write("news.txt", "Hello {{.Data.name}}")
	args := []string{"send", "-db", database, "-name", "n", "-csv", list, "-templates", dir, "-from", "a@shop.test",
		"-return-path", "b@shop.test", "-relays", "no-such-domain.invalid"}
	var stderr bytes.Buffer
	if err := run(t.Context(), args, io.Discard, &stderr); err == nil || !strings.Contains(stderr.String(), "line 3") {
		t.Errorf("a broken list: %v\n%s", err, &stderr)
	}
	if err := run(t.Context(), []string{"send", "-name", "n"}, io.Discard, io.Discard); err == nil {
		t.Error("flags that are missing are no error")
	}
	b, err := outbox.New(t.Context(), outbox.Config{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Start(t.Context(), outbox.Mailing{Name: "n"}, func(yield func(outbox.Recipient, error) bool) {
		yield(outbox.Recipient{Address: "jane@example.test"}, nil)
	})
	if err != nil || b.Close() != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ command, want string }{{"pause", "n: paused (by an operator), 1 recipients"}, {"resume", "n: running, 1 recipients"}} {
		if err := run(t.Context(), []string{step.command, "-db", database, "-name", "n"}, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), []string{"status", "-db", database}, &out, io.Discard); err != nil || !strings.Contains(out.String(), step.want) {
			t.Errorf("after %s: %v\n%s", step.command, err, &out)
		}
	}
	if err := run(t.Context(), []string{"shout"}, io.Discard, io.Discard); err == nil {
		t.Error("an unknown command is no error")
	}
}
