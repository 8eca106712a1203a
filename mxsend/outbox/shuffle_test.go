package outbox

import "testing"

func TestShuffleIsAPermutationWithItsInverse(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 5, 16, 17, 1000, 4096, 20_000} {
		s := newShuffle(n, n*7)
		seen := make([]bool, n)
		for i := range n {
			line := s.line(i)
			if line < 0 || line >= n || seen[line] {
				t.Fatalf("n=%d: place %d has line %d: out of range, or twice", n, i, line)
			}
			seen[line] = true
			if got := s.place(line); got != i {
				t.Fatalf("n=%d: place(line(%d)) = %d", n, i, got)
			}
		}
	}
}

// A list sorted by provider must come out mixed: in any run of 100, of each of ten equal providers about ten.
func TestShuffleSpreadsProviders(t *testing.T) {
	const n, providers = 100_000, 10
	s := newShuffle(n, 12)
	for start := int64(0); start < n; start += 100 {
		var count [providers]int
		for i := start; i < start+100; i++ {
			count[s.line(i)/(n/providers)]++
		}
		for p, c := range count {
			if c > 40 { // 10 expected; 40 is ten standard deviations away
				t.Fatalf("places %d to %d hold %d recipients of provider %d", start, start+100, c, p)
			}
		}
	}
}
