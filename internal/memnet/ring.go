package memnet

// ring is a queue of octets that grows as needed and keeps its memory.
type ring struct {
	buf  []byte
	head int // of the oldest octet
	size int
}

const smallestRing = 4 << 10

// push appends all of p.
func (r *ring) push(p []byte) {
	if r.size+len(p) > len(r.buf) {
		r.grow(r.size + len(p))
	}
	tail := r.head + r.size
	if tail >= len(r.buf) {
		tail -= len(r.buf)
	}
	n := copy(r.buf[tail:], p)
	copy(r.buf, p[n:])
	r.size += len(p)
}

// pop moves the oldest octets into p and returns their number, at most limit.
func (r *ring) pop(p []byte, limit int) int {
	n := min(len(p), limit, r.size)
	k := copy(p[:n], r.buf[r.head:])
	copy(p[k:n], r.buf)
	r.head += n
	if r.head >= len(r.buf) {
		r.head -= len(r.buf)
	}
	r.size -= n
	if r.size == 0 {
		r.head = 0 // the next octets lie in one piece
	}
	return n
}

// drop forgets everything and releases the memory.
func (r *ring) drop() { *r = ring{} }

func (r *ring) grow(need int) {
	size := max(smallestRing, 2*len(r.buf))
	for size < need {
		size *= 2
	}
	buf := make([]byte, size)
	n := copy(buf, r.buf[r.head:min(r.head+r.size, len(r.buf))])
	copy(buf[n:], r.buf[:r.size-n])
	r.buf, r.head = buf, 0
}
