package mxsend

import (
	"io"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// Between the reply to DATA and the final dot.
var faultsMidContent = []fault{
	{name: "C6/EOF", change: inContent(cutAfter(300<<10, memnet.CutEOF)), run: wantContentDeferred},
	{name: "C6/RST", change: inContent(cutAfter(300<<10, memnet.CutReset)), run: wantContentDeferred},
	{name: "C6/RST within a write", change: inContent(cutAfter(300<<10, memnet.CutShort)), run: wantContentDeferred},
	{name: "C6/EOF at once", change: inContent(cutAfter(1, memnet.CutEOF)), run: wantContentDeferred},
	{name: "C6/stops reading", change: inContent(func(*testSession) { time.Sleep(time.Hour) }), run: wantContentDeferred},
	{name: "C6/then elsewhere", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].content = func(_ int, t *testSession) bool { cutAfter(300<<10, memnet.CutEOF)(t); return true }
	}, run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
	}},
	{name: "C7/554", change: inContent(func(t *testSession) {
		_, _ = io.CopyN(io.Discard, t.in, 100<<10)
		t.say(rawReply+"554 5.7.1 spam\r\n", "")
		time.Sleep(time.Second)
	}), run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantStage(err, StageContent)
		if got := r.Recipients[0].Err.(*Error).Reply.Code; got != 554 {
			s.t.Errorf("reply %d", got)
		}
	}},
	{name: "C7/452", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].content = func(_ int, t *testSession) bool {
			_, _ = io.CopyN(io.Discard, t.in, 100<<10)
			t.say(rawReply+"452 4.3.1 disk full\r\n", "")
			return true
		}
	}, run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		r, err := s.send(m)
		if err != nil {
			s.t.Error(err)
		}
		if len(r.Attempts) != 2 || r.Attempts[0].Reply.Code != 452 {
			s.t.Errorf("attempts %+v", r.Attempts)
		}
	}},
	{name: "C7/421", change: inContent(func(t *testSession) {
		_, _ = io.CopyN(io.Discard, t.in, 100<<10)
		t.say(rawReply+"421 4.3.2 shutting down\r\n", "")
	}), run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		r, _ := s.send(m)
		s.want(r, Deferred)
		if got := r.Recipients[0].Err.(*Error).Reply.Code; got != 421 {
			s.t.Errorf("reply %d", got)
		}
	}},
	{name: "C7/short", change: inContent(func(t *testSession) { t.say(rawReply+"554 5.7.1 spam\r\n", "") }), run: wantOneOf(Rejected)},
	{name: "C13", change: answers("DATA", rawReply+"354 go\r\n250 2.0.0 Ok: queued as EARLY\r\n"), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, smtpwire.ErrProtocol)
	}},
	{name: "C13/in the content", change: inContent(func(t *testSession) {
		_, _ = io.CopyN(io.Discard, t.in, 100<<10)
		t.say(rawReply+"250 2.0.0 Ok: queued as EARLY\r\n", "")
		time.Sleep(time.Second)
		_, _ = readContent(t.in)
	}), run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		r, err := s.send(m)
		if o := r.Recipients[0].Outcome; o == Accepted {
			s.t.Errorf("%v", o)
		}
		s.wantErr(err, smtpwire.ErrProtocol)
	}},
}

// inContent hands the connection over after 354, and closes it then.
func inContent(f func(*testSession)) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) {
		rs[0].content = func(_ int, t *testSession) bool { f(t); return true }
	}
}

// cutAfter cuts the connection once the client has sent so much more.
func cutAfter(octets int64, how memnet.Cut) func(*testSession) {
	return func(t *testSession) {
		t.base.(*memnet.Conn).CutReadAfter(octets, how)
		_, _ = io.Copy(io.Discard, t.in)
	}
}

func wantOneOf(o Outcome) func(*testSetup) {
	return func(s *testSetup) {
		r, _ := s.send(testMessage(1))
		s.want(r, o)
	}
}

func wantContentDeferred(s *testSetup) {
	m := testMessage(1)
	m.Content = testContentOf(2 << 20)
	start := time.Now()
	r, err := s.send(m)
	s.want(r, Deferred)
	s.wantErr(err, ErrDeferred)
	s.wantStage(err, StageContent)
	s.wantTook(start, 0, 5*time.Minute)
}
