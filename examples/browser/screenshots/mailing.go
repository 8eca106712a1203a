package main

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mxsend/go-mxsend/examples/browser"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

// mailing makes the pictures of the dashboard.
func mailing(ctx context.Context, to string, all bool, play time.Duration) error {
	stage, err := browser.NewMailingStage(ctx)
	if err != nil {
		return err
	}
	defer stage.Close()
	server := httptest.NewServer(stage.Dashboard)
	defer server.Close()
	defer server.CloseClientConnections() // the tab's events would keep it
	for i, old := range []string{"newsletter-2026-09", "newsletter-2026-10"} {
		if err := stage.Start(ctx, outbox.Mailing{Name: old, Template: "news"}, 3000+500*i); err != nil {
			return err
		}
	}
	const name = "newsletter-2026-11"
	if err := stage.Start(ctx, outbox.Mailing{Name: "black-friday", Template: "offer", StartAt: time.Now().Add(20 * time.Hour)}, 5000); err != nil {
		return err
	}
	if err := stage.Start(ctx, outbox.Mailing{Name: name, Template: "news", Rate: 60}, max(2000, 90*int(play.Seconds()))); err != nil {
		return err
	}
	if err := stage.Start(ctx, outbox.Mailing{Name: "survey", Template: "survey", Rate: 20}, 4000); err != nil {
		return err
	}
	tab, end, err := browser.Open(ctx)
	if err != nil {
		return err
	}
	defer end()
	page := "/mailing?name=" + name
	if err := browser.Do(tab, browser.Wide.As(), chromedp.Navigate(server.URL+page)); err != nil { // from now on somebody looks
		return err
	}
	time.Sleep(play / 2)
	if err := stage.Box.Pause(ctx, "survey", "paused by jane: the link on page two is wrong"); err != nil {
		return err
	}
	time.Sleep(play / 2)
	if !all {
		return shoot(tab, server.URL, to, []shot{{"mailing", page}}, false)
	}
	for suffix, look := range looks(true) {
		err := take(tab, filepath.Join(to, "found"+suffix+".png"), true, look.As(), chromedp.Navigate(server.URL+"/address"),
			chromedp.SendKeys("#address", "customer7@gone.test\r", chromedp.ByQuery), chromedp.WaitVisible("#found-title", chromedp.ByQuery))
		if err != nil {
			return err
		}
	}
	return shoot(tab, server.URL, to, []shot{
		{"mailing", page}, {"mailings", "/"}, {"paused", "/mailing?name=survey"}, {"transactional", "/transactional"}, {"suppression", "/suppression"},
		{"reasons", "/reasons?name=" + name}, {"missing", "/mailing?name=none"},
	}, true)
}
