package mxsend

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// authenticate runs the SASL exchange of Config.Auth (RFC 4954).
func (c *conn) authenticate() (failure *Error) {
	cfg := &c.client.cfg
	if cfg.Auth == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			failure = &Error{Stage: StageAuth, Err: fmt.Errorf("Config.Auth panicked: %T", p)}
		}
	}()
	failed := func(err error) *Error { return &Error{Stage: StageAuth, Err: err} }
	if !c.secured {
		return failed(errors.New("credentials are sent over verified TLS only"))
	}
	client := cfg.Auth()
	mechanism, response, err := client.Start()
	if err != nil {
		return failed(fmt.Errorf("Config.Auth: %w", err))
	}
	if !c.extensions.OffersAuth(strings.ToUpper(mechanism)) {
		return failed(fmt.Errorf("the relay does not offer AUTH %s, the mechanism of Config.Auth; it offers %s", mechanism, c.offeredAuth()))
	}
	command := "AUTH " + mechanism
	if response != nil {
		// RFC 4954 §4: "=" is an empty initial response.
		if encoded := base64.StdEncoding.EncodeToString(response); encoded != "" {
			command += " " + encoded
		} else {
			command += " ="
		}
	}
	for {
		r, failure := c.ask(StageAuth, command+"\r\n", cfg.Limits.Reply)
		switch {
		case failure != nil:
			return failure
		case r.Code == 235:
			return nil
		case r.Code != 334:
			failure = refusal(StageAuth, r)
			if r.Permanent() {
				failure.Err = fmt.Errorf("%w: the credential of Config.Auth", ErrRelayRefused)
			}
			return failure
		}
		challenge, err := base64.StdEncoding.DecodeString(string(r.Text))
		if err == nil {
			response, err = client.Next(challenge)
		}
		if err != nil {
			_, _ = c.ask(StageAuth, "*\r\n", cfg.Limits.Reply)
			return failed(fmt.Errorf("the SASL exchange of Config.Auth failed: %w", err))
		}
		command = base64.StdEncoding.EncodeToString(response)
	}
}

// offeredAuth is what the relay offers instead.
func (c *conn) offeredAuth() string {
	if len(c.extensions.Auth) == 0 {
		return "none"
	}
	const most = 200
	offered := strings.Join(c.extensions.Auth, " ")
	return strconv.Quote(offered[:min(len(offered), most)])
}
