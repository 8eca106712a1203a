package outbox

import "math/bits"

// A shuffle is a permutation of 0 … n−1 that looks random: the order of sending of a mailing's recipients, so that the
// addresses of one provider, which stand together in most lists, do not come in a row. It is computed and not stored, so
// that a list is loaded in the order it comes, without being held in memory, and is never written twice.
//
// It is a Feistel network on the smallest even number of bits that holds n; a value beyond n is put through again until it
// is below ("cycle walking", Black and Rogaway 2002), on average less than four times.
type shuffle struct {
	n, key uint64
	half   int // bits
}

func newShuffle(n, key int64) shuffle {
	return shuffle{uint64(n), uint64(key), max(1, (bits.Len64(uint64(max(n-1, 0)))+1)/2)}
}

const shuffleRounds = 4

// line is the place in the list of what is sent nth.
func (s shuffle) line(n int64) int64 {
	return s.walk(n, func(left, right uint64) (uint64, uint64) {
		for round := range uint64(shuffleRounds) {
			left, right = right, left^s.mix(right, round)
		}
		return left, right
	})
}

// place is the inverse of line.
func (s shuffle) place(line int64) int64 {
	return s.walk(line, func(left, right uint64) (uint64, uint64) {
		for round := uint64(shuffleRounds); round > 0; round-- {
			left, right = right^s.mix(left, round-1), left
		}
		return left, right
	})
}

func (s shuffle) walk(x int64, network func(left, right uint64) (uint64, uint64)) int64 {
	mask := uint64(1)<<s.half - 1
	for v := uint64(x); ; {
		left, right := network(v>>s.half, v&mask)
		if v = left<<s.half | right; v < s.n {
			return int64(v)
		}
	}
}

// mix is the round function: the finalizer of SplitMix64.
func (s shuffle) mix(v, round uint64) uint64 {
	v += s.key*0x9e3779b97f4a7c15 + (round+1)*0xbf58476d1ce4e5b9
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return (v ^ v>>31) & (1<<s.half - 1)
}
