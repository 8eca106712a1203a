package outbox

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTemplates(t *testing.T) {
	files := fstest.MapFS{
		"news.subject":  {Data: []byte("Grüße für {{.Data.name}}\n")},
		"news.txt":      {Data: []byte("Hello {{.Data.name}},\n.\n" + strings.Repeat("long ", 400) + "\n{{.Unsubscribe}}\n")},
		"news.html":     {Data: []byte("<p>Hello {{.Data.name}}</p><a href=\"{{.Unsubscribe}}\">unsubscribe</a>")},
		"plain.subject": {Data: []byte("x")}, "plain.txt": {Data: []byte("{{.Params.season}}")},
		"README.md": {Data: []byte("no template")},
	}
	render, err := Templates(Letters{FS: files, From: "Shöp <news@shop.test>"})
	if err != nil {
		t.Fatal(err)
	}
	draft := Draft{
		Mailing:   Mailing{Name: "n", List: "weekly", Template: "news", Params: map[string]string{"season": "winter"}},
		Recipient: Recipient{"jane@example.test", map[string]string{"name": "Jane <script>"}}, ReturnPath: "b+x@bounce.shop.test",
		MessageID: "<b+x.y@bounce.shop.test>", Unsubscribe: "https://shop.test/u/abc", FeedbackID: "1:weekly:mxsend",
	}
	message, err := render(t.Context(), draft)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := mail.ReadMessage(bytes.NewReader(message.Content))
	if err != nil {
		t.Fatalf("%v in\n%s", err, message.Content)
	}
	for name, want := range map[string]string{
		"Message-ID": "<b+x.y@bounce.shop.test>", "List-Unsubscribe": "<https://shop.test/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Feedback-ID": "1:weekly:mxsend", "List-ID": "<weekly.shop.test>", "To": `"Jane <script>" <jane@example.test>`,
	} {
		if got := parsed.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); subject != "Grüße für Jane <script>" {
		t.Errorf("subject %q, %v", subject, err)
	}
	_, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for _, want := range []string{"Hello Jane <script>,", "Hello Jane &lt;script&gt;"} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || !strings.Contains(string(text), want) || !strings.Contains(string(text), "https://shop.test/u/abc") {
			t.Errorf("got %q, %v; want it to hold %q and the link", text, err, want)
		}
	}
	for _, line := range strings.Split(string(message.Content), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d octets, or with a bare line end: %.40q", len(line), line)
		}
	}

	// What fails for one recipient is an error for this one.
	draft.Recipient.Data = nil
	if _, err := render(t.Context(), draft); err == nil {
		t.Error("a name that is missing is no error")
	}
	draft.Recipient.Data = map[string]string{"name": "Jane\r\nBcc: all@example.test"}
	if message, err := render(t.Context(), draft); err == nil {
		t.Errorf("a line end in the subject is no error:\n%s", message.Content)
	}
	draft.Mailing.Template = "none"
	if _, err := render(t.Context(), draft); err == nil {
		t.Error("a template that is not there is no error")
	}
	draft.Mailing.Template = "plain"
	if message, err := render(t.Context(), draft); err != nil || !bytes.HasSuffix(message.Content, []byte("\r\n\r\nwinter\r\n")) {
		t.Errorf("plain: %v", err)
	}
}

func TestTemplatesThatAreWrong(t *testing.T) {
	good := fstest.MapFS{"a.subject": {Data: []byte("x")}, "a.txt": {Data: []byte("x")}}
	for name, letters := range map[string]Letters{
		"no FS":        {From: "a@shop.test"},
		"no From":      {FS: good},
		"no templates": {FS: fstest.MapFS{}, From: "a@shop.test"},
		"no subject":   {FS: fstest.MapFS{"a.txt": {Data: []byte("x")}}, From: "a@shop.test"},
		"no body":      {FS: fstest.MapFS{"a.subject": {Data: []byte("x")}}, From: "a@shop.test"},
		"syntax":       {FS: fstest.MapFS{"a.subject": {Data: []byte("x")}, "a.html": {Data: []byte("{{.X")}}, From: "a@shop.test"},
		"function":     {FS: fstest.MapFS{"a.subject": {Data: []byte("{{shout .Address}}")}, "a.txt": {Data: []byte("x")}}, From: "a@shop.test"},
	} {
		if _, err := Templates(letters); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCSV(t *testing.T) {
	const text = "\ufeffName, EMail ,city\r\n" +
		"Jane,jane@example.test,\"New\nYork\"\n" +
		"broken \"quote,x@example.test,\n" +
		"only,two\n" +
		",bob@example.test,\n" +
		"No,not an address,\n" +
		"Latin\xe9,l@example.test,\n" +
		"\"Last\", last@example.test ,Ulm"
	var got []string
	for r, err := range CSV(strings.NewReader(text)) {
		if err != nil {
			got = append(got, "error "+err.Error())
			continue
		}
		got = append(got, r.Address+" "+r.Data["name"]+" "+r.Data["city"])
	}
	want := []string{
		"jane@example.test Jane New\nYork",
		`error line 4: bare " in non-quoted-field`,
		"error line 5: wrong number of fields",
		"bob@example.test  ",
		"error line 7: there is no address",
		`error line 8: column "name" is not UTF-8`,
		"last@example.test Last Ulm",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, bad := range []string{"", "name,city\nx,y\n", "\"", "\x00"} {
		n := 0
		for _, err := range CSV(strings.NewReader(bad)) {
			if n++; err == nil {
				t.Errorf("%q: no error", bad)
			}
		}
		if n != 1 {
			t.Errorf("%q: %d errors, want 1", bad, n)
		}
	}
}
