// Screenshots makes the pictures of the desk that README shows:
//
//	cd examples/browser && go run ./screenshots -to ../relays
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mxsend/go-mxsend/examples/browser"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func main() {
	to := flag.String("to", ".", "`directory` for the pictures")
	all := flag.Bool("all", false, "every page, wide and narrow, light and dark, from top to bottom")
	play := flag.Duration("play", 4*time.Minute, "time that mail flows before")
	flag.Parse()
	if err := run(context.Background(), *to, *all, *play); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, to string, all bool, play time.Duration) error {
	stage, err := browser.NewStage(browser.StageOptions{})
	if err != nil {
		return err
	}
	defer stage.Close()
	server := httptest.NewServer(stage.Desk)
	defer server.Close()
	defer server.CloseClientConnections() // the tab's events would keep it
	stage.Destinations()
	if err := stage.Play(ctx, 40, play); err != nil {
		return err
	}
	for relay, do := range map[string]string{"p1": "slow", "p2": "stop"} {
		resp, err := http.PostForm(server.URL+"/relays/"+relay, url.Values{"do": {do}})
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	tab, end, err := browser.Open(ctx)
	if err != nil {
		return err
	}
	defer end()
	bounced, err := stage.Find(mxtest.Bounced)
	if err != nil {
		return err
	}
	deferred, err := stage.Find(mxtest.Deferred)
	if err != nil {
		return err
	}
	pages := []struct{ name, path string }{{"desk", "/"}, {"mail", "/mails/" + bounced}}
	looks := map[string]browser.Look{"": browser.Wide}
	if all {
		pages = append(pages, struct{ name, path string }{"mails", "/mails"}, struct{ name, path string }{"connect", "/connect"},
			struct{ name, path string }{"api", "/api"}, struct{ name, path string }{"deferred", "/mails/" + deferred})
		dark, darkNarrow := browser.Wide, browser.Narrow
		dark.Dark, darkNarrow.Dark = true, true
		looks["-narrow"], looks["-dark"], looks["-narrow-dark"] = browser.Narrow, dark, darkNarrow
	}
	for suffix, look := range looks {
		for _, page := range pages {
			var picture []byte
			shot := chromedp.CaptureScreenshot(&picture)
			if all {
				shot = chromedp.FullScreenshot(&picture, 100)
			}
			if err := browser.Do(tab, look.As(), chromedp.Navigate(server.URL+page.path), shot); err != nil {
				return fmt.Errorf("%s%s: %w", page.name, suffix, err)
			}
			if err := os.WriteFile(filepath.Join(to, page.name+suffix+".png"), picture, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
