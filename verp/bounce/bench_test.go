package bounce

import (
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkParse parses typical bounces: those in testdata, in turn.
func BenchmarkParse(b *testing.B) {
	names, err := filepath.Glob("testdata/*.eml")
	if err != nil {
		b.Fatal(err)
	}
	messages := []string{testNotice}
	octets := len(testNotice)
	for _, name := range names {
		m := string(testdata(b, filepath.Base(name)))
		messages = append(messages, m)
		octets += len(m)
	}
	b.SetBytes(int64(octets / len(messages)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := Parse(strings.NewReader(messages[i%len(messages)])); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
