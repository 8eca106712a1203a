package mxsend

import (
	"math/rand/v2"
	"testing"
	"time"
)

var pickNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// ready is a relay with idle connections and nothing to do.
func ready(id, weight int) candidate {
	return candidate{id: id, weight: weight, limit: 10, bulkLimit: 8, conns: 10, idle: 10, lastOctet: pickNow}
}

func TestPick(t *testing.T) {
	later := pickNow.Add(time.Second)
	with := func(change func(*candidate)) candidate {
		c := ready(1, 1)
		change(&c)
		return c
	}
	other := ready(2, 1)
	busy := func(n int) candidate {
		return with(func(c *candidate) { c.idle, c.conns, c.busy, c.bulkConns, c.inFlight, c.slots = 0, n, n, n, n, 0 })
	}
	bulk, transactional := want{lane: Bulk, mayOpen: true, now: pickNow}, want{lane: Transactional, mayOpen: true, now: pickNow}
	for _, tt := range []struct {
		name string
		cs   []candidate
		w    want
		want choice
	}{
		{"none", nil, bulk, choice{use: -1, open: -1}},
		{"idle", []candidate{ready(1, 1)}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"least in flight", []candidate{with(func(c *candidate) { c.inFlight = 3 }), other}, bulk, choice{use: 1, how: placeIdle, open: -1}},
		{"in flight for the weight", []candidate{with(func(c *candidate) { c.inFlight, c.weight = 3, 4 }), with(func(c *candidate) { c.inFlight = 1; c.id = 2 })}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"lower preference", []candidate{with(func(c *candidate) { c.preference = 20 }), with(func(c *candidate) { c.preference, c.inFlight = 10, 9 })}, bulk, choice{use: 1, how: placeIdle, open: -1}},
		{"next tier while the first is out", []candidate{with(func(c *candidate) { c.preference = 20 }), with(func(c *candidate) { c.preference, c.notBefore = 10, later })}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"not the next tier while the first is full", []candidate{with(func(c *candidate) { c.preference = 20; c.id = 2 }), func() candidate { c := busy(8); c.preference = 10; c.bulkConns = 8; c.conns = 10; return c }()}, bulk, choice{use: -1, open: -1}},
		{"drained", []candidate{with(func(c *candidate) { c.weight = 0 })}, bulk, choice{use: -1, open: -1}},
		{"out", []candidate{with(func(c *candidate) { c.notBefore = later })}, bulk, choice{use: -1, open: -1}},
		{"its turn is over", []candidate{ready(1, 1)}, want{avoid: []int{1}, lane: Bulk, now: pickNow}, choice{use: -1, open: -1, exhausted: true}},
		{"lacks", []candidate{with(func(c *candidate) { c.lacks = needSMTPUTF8 })}, want{need: needSMTPUTF8, lane: Bulk, now: pickNow}, choice{use: -1, open: -1, exhausted: true, lacking: true}},
		{"too large", []candidate{with(func(c *candidate) { c.maxSize = 100 })}, want{size: 101, lane: Bulk, now: pickNow}, choice{use: -1, open: -1, exhausted: true, lacking: true}},
		{"just fits", []candidate{with(func(c *candidate) { c.maxSize = 100 })}, want{size: 100, lane: Bulk, now: pickNow}, choice{use: 0, how: placeIdle, open: -1}},
		{"lacks, and the other is out", []candidate{with(func(c *candidate) { c.lacks = needSMTPUTF8 }), with(func(c *candidate) { c.notBefore = later })}, want{need: needSMTPUTF8, lane: Bulk, now: pickNow}, choice{use: -1, open: -1, exhausted: true}},
		{"opens", []candidate{with(func(c *candidate) { c.idle, c.conns = 0, 0 })}, bulk, choice{use: -1, open: 0}},
		{"may not open", []candidate{with(func(c *candidate) { c.idle, c.conns = 0, 0 })}, want{lane: Bulk, now: pickNow}, choice{use: -1, open: -1}},
		{"opens, and uses the other's idle one", []candidate{with(func(c *candidate) { c.idle, c.conns = 0, 0 }), with(func(c *candidate) { c.id, c.inFlight = 2, 1 })}, bulk, choice{use: 1, how: placeIdle, open: 0}},
		{"slot before a new connection", []candidate{with(func(c *candidate) { c.idle, c.conns, c.busy, c.bulkConns, c.slots, c.inFlight = 0, 1, 1, 1, 1, 1 })}, bulk, choice{use: 0, how: placeSlot, open: -1}},
		{"Transactional opens rather", []candidate{with(func(c *candidate) { c.idle, c.conns, c.busy, c.slots, c.fastSlots, c.inFlight = 0, 1, 1, 1, 1, 1 })}, transactional, choice{use: -1, open: 0}},
		{"Transactional behind its own", []candidate{with(func(c *candidate) { c.idle, c.conns, c.busy, c.slots, c.fastSlots, c.inFlight = 0, 10, 10, 1, 1, 10 })}, transactional, choice{use: 0, how: placeSlot, open: -1}},
		{"Transactional never behind Bulk", []candidate{with(func(c *candidate) { c.idle, c.conns, c.busy, c.slots, c.inFlight = 0, 10, 10, 10, 10 })}, transactional, choice{use: -1, open: -1}},
		{"reserved", []candidate{with(func(c *candidate) { c.idle, c.busy, c.bulkConns, c.inFlight = 2, 8, 8, 8 })}, bulk, choice{use: -1, open: -1}},
		{"reserved for Transactional", []candidate{with(func(c *candidate) { c.idle, c.busy, c.bulkConns, c.inFlight = 2, 8, 8, 8 })}, transactional, choice{use: 0, how: placeIdle, open: -1}},
		{"Bulk keeps off reserved slots", []candidate{with(func(c *candidate) {
			c.idle, c.busy, c.bulkConns, c.inFlight, c.slots, c.fastSlots = 0, 9, 8, 9, 1, 1
		})}, bulk, choice{use: -1, open: -1}},
		{"Bulk's limit went down", []candidate{with(func(c *candidate) {
			c.idle, c.busy, c.bulkConns, c.inFlight, c.slots, c.bulkLimit = 0, 8, 8, 8, 8, 4
		})}, bulk, choice{use: -1, open: -1}},
		{"the limit went down", []candidate{with(func(c *candidate) {
			c.idle, c.busy, c.inFlight, c.slots, c.fastSlots, c.limit = 0, 10, 10, 10, 10, 5
		})}, transactional, choice{use: -1, open: -1}},
		{"stalled", []candidate{with(func(c *candidate) { c.inFlight = 3; c.lastOctet = pickNow.Add(-6 * time.Second) })}, bulk, choice{use: -1, open: -1}},
		{"not yet stalled", []candidate{with(func(c *candidate) { c.inFlight = 3; c.lastOctet = pickNow.Add(-4 * time.Second) })}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"too few outstanding to tell", []candidate{with(func(c *candidate) { c.inFlight = 2; c.lastOctet = pickNow.Add(-time.Minute) })}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"probe", []candidate{with(func(c *candidate) { c.ramp = 1 })}, bulk, choice{use: 0, how: placeIdle, open: -1}},
		{"probe under way", []candidate{with(func(c *candidate) { c.ramp, c.inFlight = 1, 1 })}, bulk, choice{use: -1, open: -1}},
		{"full", []candidate{busy(10)}, transactional, choice{use: -1, open: -1}},
		{"full, and the other had its turn", []candidate{busy(10), other}, want{lane: Transactional, avoid: []int{2}, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, barred: true}},
		{"full, and the other lacks", []candidate{busy(10), with(func(c *candidate) { c.id, c.lacks = 2, needEightBitMIME })},
			want{lane: Transactional, need: needEightBitMIME, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, barred: true}},
		{"full, and it is too large for the other", []candidate{busy(10), with(func(c *candidate) { c.id, c.maxSize = 2, 100 })},
			want{lane: Transactional, size: 101, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, barred: true}},
		{"stalled, and the other had its turn", []candidate{with(func(c *candidate) { c.inFlight = 3; c.lastOctet = pickNow.Add(-6 * time.Second) }), other},
			want{lane: Bulk, avoid: []int{2}, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, exhausted: true}},
		{"a silent probe, and the other had its turn", []candidate{with(func(c *candidate) { c.ramp, c.inFlight = 1, 1; c.lastOctet = pickNow.Add(-6 * time.Second) }), other},
			want{lane: Bulk, avoid: []int{2}, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, exhausted: true}},
		{"stalled, and the other lacks", []candidate{with(func(c *candidate) { c.inFlight = 3; c.lastOctet = pickNow.Add(-6 * time.Second) }), with(func(c *candidate) { c.id, c.lacks = 2, needEightBitMIME })},
			want{lane: Bulk, need: needEightBitMIME, mayOpen: true, now: pickNow}, choice{use: -1, open: -1, barred: true}},
		{"Transactional waits here", []candidate{with(func(c *candidate) { c.wanted = true })}, bulk, choice{use: -1, open: -1}},
		{"Transactional waits elsewhere", []candidate{with(func(c *candidate) { c.wanted = true }), other}, bulk, choice{use: 1, how: placeIdle, open: -1}},
		{"Transactional takes what it waits for", []candidate{with(func(c *candidate) { c.wanted = true })}, transactional, choice{use: 0, how: placeIdle, open: -1}},
		{"no connections allowed", []candidate{with(func(c *candidate) { c.limit = 0 })}, bulk, choice{use: -1, open: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := pick(tt.cs, &tt.w); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Where a transactional entry finds no room, Bulk is to leave it some: at relays
// that it may go to and that are not silent, and at no other.
func TestPickWants(t *testing.T) {
	full := func(id int, change func(*candidate)) candidate {
		c := ready(id, 1)
		c.idle, c.busy, c.bulkConns, c.inFlight, c.slots = 0, 10, 10, 10, 10
		if change != nil {
			change(&c)
		}
		return c
	}
	for _, tt := range []struct {
		name string
		cs   []candidate
		w    want
		want []bool
	}{
		{"both full", []candidate{full(1, nil), full(2, nil)}, want{lane: Transactional, mayOpen: true}, []bool{true, true}},
		{"8-bit", []candidate{full(1, nil), full(2, nil)}, want{lane: Transactional, mayOpen: true, need: needEightBitMIME}, []bool{true, true}},
		{"8-bit, and one lacks it", []candidate{full(1, func(c *candidate) { c.lacks = needEightBitMIME }), full(2, nil)}, want{lane: Transactional, mayOpen: true, need: needEightBitMIME}, []bool{false, true}},
		{"failed over", []candidate{full(1, nil), full(2, nil)}, want{lane: Transactional, mayOpen: true, avoid: []int{1}}, []bool{false, true}},
		{"too large for one", []candidate{full(1, func(c *candidate) { c.maxSize = 100 }), full(2, nil)}, want{lane: Transactional, mayOpen: true, size: 101}, []bool{false, true}},
		{"Bulk", []candidate{full(1, nil), full(2, nil)}, want{lane: Bulk, mayOpen: true}, []bool{false, false}},
		{"placed", []candidate{full(1, nil), ready(2, 1)}, want{lane: Transactional, mayOpen: true}, []bool{false, false}},
		{"being connected to", []candidate{full(1, nil), full(2, func(c *candidate) { c.conns = 9 })}, want{lane: Transactional, mayOpen: true}, []bool{true, true}},
		{"silent", []candidate{full(1, nil), full(2, func(c *candidate) { c.lastOctet = pickNow.Add(-6 * time.Second) })}, want{lane: Transactional, mayOpen: true}, []bool{true, false}},
		{"probe under way", []candidate{full(1, func(c *candidate) { c.ramp, c.inFlight = 1, 1 })}, want{lane: Transactional, mayOpen: true}, []bool{false}},
		{"out", []candidate{full(1, nil), full(2, func(c *candidate) { c.notBefore = pickNow.Add(time.Second) })}, want{lane: Transactional, mayOpen: true}, []bool{true, false}},
		{"a higher tier", []candidate{full(1, func(c *candidate) { c.preference = 20 }), full(2, func(c *candidate) { c.preference = 10 })}, want{lane: Transactional, mayOpen: true}, []bool{false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.w.now = pickNow
			pick(tt.cs, &tt.w)
			for i := range tt.cs {
				if got := tt.cs[i].wanted; got != tt.want[i] {
					t.Errorf("relay %d: wanted %v, want %v", i, got, tt.want[i])
				}
			}
		})
	}
}

// One message at a time: over any stretch, the shares are within one of the
// weights; nobody starves.
func TestPickShares(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		n := 2 + random.IntN(5)
		cs := make([]candidate, n)
		total := 0
		for i := range cs {
			cs[i] = ready(i+1, 1+random.IntN(4))
			total += cs[i].weight
		}
		taken := make([]int, n)
		w := want{lane: Bulk, mayOpen: true, now: pickNow}
		for k := 1; k <= 500; k++ {
			taken[pick(cs, &w).use]++
			for i := range cs {
				if diff := float64(taken[i]) - float64(k*cs[i].weight)/float64(total); diff > 1.5 || diff < -1.5 {
					t.Fatalf("seed %d: after %d, relay %d of weights %v took %v", seed, k, i, weights(cs), taken)
				}
			}
		}
		for k := 500; k%total != 0; k++ { // whole turns are exact
			taken[pick(cs, &w).use]++
		}
		rounds := 0
		for i := range cs {
			rounds += taken[i]
		}
		for i := range cs {
			if taken[i]*total != rounds*cs[i].weight {
				t.Fatalf("seed %d: relays of weights %v took %v in whole turns", seed, weights(cs), taken)
			}
		}
	}
}

func weights(cs []candidate) (w []int) {
	for i := range cs {
		w = append(w, cs[i].weight)
	}
	return w
}

// Whatever comes and goes: relays that are out, drained or at their limit get
// nothing; the loads keep to the weights; nobody starves.
func TestPickInterleaved(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		n := 2 + random.IntN(5)
		cs := make([]candidate, n)
		for i := range cs {
			cs[i] = ready(i+1, 1+random.IntN(4))
			cs[i].limit, cs[i].bulkLimit, cs[i].conns, cs[i].idle = 20, 20, 20, 20
		}
		since := make([]int, n) // picks since it last got one or could get none
		now := pickNow
		for k := range 3000 {
			now = now.Add(time.Millisecond)
			i := random.IntN(n)
			switch random.IntN(50) {
			case 0:
				cs[i].notBefore = now.Add(time.Duration(random.IntN(100)) * time.Millisecond)
			case 1:
				cs[i].ramp = random.IntN(3)
			}
			if c := &cs[i]; random.IntN(2) == 0 && c.inFlight > 0 { // one ends
				c.inFlight--
				c.busy--
				c.bulkConns--
				c.idle++
				c.lastOctet = now
			}
			w := want{lane: Bulk, mayOpen: true, now: now}
			ch := pick(cs, &w)
			for j := range cs {
				c := &cs[j]
				if !c.usable(now) || c.idle == 0 || c.ramp > 0 || c.inFlight > 0 {
					since[j] = 0 // least in flight looks at the loads first
				} else if since[j]++; since[j] > 40 && ch.use != j {
					t.Fatalf("seed %d, step %d: relay %d is idle and passed over %d times: %+v", seed, k, j, since[j], cs)
				}
			}
			if ch.use < 0 {
				continue
			}
			c := &cs[ch.use]
			switch {
			case !c.usable(now):
				t.Fatalf("seed %d: %+v is out and got one", seed, *c)
			case c.ramp > 0 && c.inFlight >= c.ramp:
				t.Fatalf("seed %d: %+v probes and got more", seed, *c)
			case c.idle == 0:
				t.Fatalf("seed %d: %+v has no room", seed, *c)
			}
			for j := range cs {
				if d := &cs[j]; d.usable(now) && d.idle > 0 && d.ramp == 0 && d.inFlight*c.weight < c.inFlight*d.weight {
					t.Fatalf("seed %d: %+v got one with more in flight for its weight than %+v", seed, *c, *d)
				}
			}
			since[ch.use] = 0
			c.inFlight++
			c.busy++
			c.bulkConns++
			c.idle--
			c.lastOctet = now
		}
	}
}

// BenchmarkPick chooses among six relays.
func BenchmarkPick(b *testing.B) {
	for _, lane := range []Lane{Transactional, Bulk} {
		b.Run(lane.String(), func(b *testing.B) {
			cs := make([]candidate, 6)
			for i := range cs {
				cs[i] = ready(i+1, 1+i%3)
				cs[i].inFlight, cs[i].busy = 5, 5
			}
			w := want{lane: lane, mayOpen: true, now: pickNow, size: 4096}
			b.ReportAllocs()
			for b.Loop() {
				if pick(cs, &w).use < 0 {
					b.Fatal("none")
				}
			}
		})
	}
}
