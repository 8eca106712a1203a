package mxsend

import ()

// Relays that lack an extension which the mail needs.
var faultsLacking = []fault{
	{name: "C17/SIZE", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"SIZE 100"} }, run: wantSkipped},
	{name: "C17/SIZE of all", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"SIZE 10"}, []string{"SIZE 20"}
	}, run: wantLacking(testMessage(1))},
	{name: "C17/8BITMIME", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"PIPELINING"} }, run: wantSkipped},
	{name: "C17/8BITMIME of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"PIPELINING"}, nil
	}, run: wantLacking(eightBit(1))},
	{name: "C17/SMTPUTF8 of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"8BITMIME"}, []string{"8BITMIME"}
	}, run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{"m\u00fcller@example.test"}
		wantLacking(m)(s)
	}},
	{name: "C17/REQUIRETLS of none", relays: 1, run: func(s *testSetup) {
		m := testMessage(1)
		m.RequireTLS = true
		wantLacking(m)(s)
	}},
	{name: "C17/out for a moment", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo = []string{"PIPELINING"}
		rs[1].answer = func(n int, line string) string {
			if line == "" && n < 3 {
				return "450 4.3.2 in a moment"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if _, err := s.send(eightBit(1)); err != nil {
			s.t.Error(err)
		}
	}},
}

func eightBit(i int) *Message {
	m := testMessage(i)
	m.Content = []byte(testContent + "caf\xc3\xa9\r\n")
	return m
}

// wantSkipped: the first relay lacks what the mail needs and gets none of it.
func wantSkipped(s *testSetup) {
	for i := range 10 {
		m := eightBit(i)
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
	}
	if n := len(s.relays[0].lines("MAIL")); n != 0 {
		s.t.Errorf("%d went to the relay that cannot take them", n)
	}
}

func wantLacking(m *Message) func(*testSetup) {
	return func(s *testSetup) {
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrLacksExtension)
		for _, relay := range s.relays {
			if n := len(relay.lines("MAIL")); n != 0 {
				s.t.Errorf("%d MAIL were sent", n)
			}
		}
	}
}
