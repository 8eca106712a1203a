package mxtest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxTranscript bounds the octets kept of a session's transcript.
const maxTranscript = 256 << 10

// A transcript is what was said in a session: "C: " before what the client said, "S: " before what the relay did.
type transcript struct {
	now func() time.Duration

	mu     sync.Mutex // guards below
	text   strings.Builder
	hidden bool // the client's next line is a secret
}

func (t *transcript) add(sent bool, octets []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > maxTranscript {
		return
	}
	who := "C"
	if sent {
		who = "S"
	}
	for line := range bytes.Lines(octets) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case !sent && t.hidden:
			line, t.hidden = []byte("[redacted]"), false
		case !sent && len(line) > 5 && bytes.EqualFold(line[:5], []byte("AUTH ")):
			words := bytes.Fields(line)
			line = bytes.Join(words[:min(2, len(words))], []byte(" "))
			if len(words) > 2 {
				line = append(line, " [redacted]"...)
			}
		}
		fmt.Fprintf(&t.text, "%12.6f %s: %s\n", t.now().Seconds(), who, line)
	}
}

// redact hides the client's next line.
func (t *transcript) redact() {
	t.mu.Lock()
	t.hidden = true
	t.mu.Unlock()
}

// note adds a remark.
func (t *transcript) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.text, "%12.6f [%s]\n", t.now().Seconds(), text)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// Transcripts are the relay's client sessions in order of their start; empty unless Config.Transcripts is set.
func (r *Relay) Transcripts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]string, len(r.transcripts))
	for i, t := range r.transcripts {
		list[i] = t.String()
	}
	return list
}
