package verp

import "testing"

func BenchmarkEncode(b *testing.B) {
	c, id := newCodec(b, nil), FromUint64(4711)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Encode(id)
	}
}

func BenchmarkDecode(b *testing.B) {
	c := newCodec(b, nil)
	address := mustEncode(b, c, FromUint64(4711))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Decode(address)
	}
}
