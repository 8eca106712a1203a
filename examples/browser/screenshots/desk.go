package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/mxsend/go-mxsend/examples/browser"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// desk makes the pictures of the desk.
func desk(ctx context.Context, to string, all bool, play time.Duration) error {
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
	shots := []shot{{"desk", "/"}, {"mail", "/mails/" + bounced}}
	if all {
		shots = append(shots, shot{"mails", "/mails"}, shot{"connect", "/connect"}, shot{"api", "/api"}, shot{"deferred", "/mails/" + deferred})
	}
	return shoot(tab, server.URL, to, shots, all)
}
