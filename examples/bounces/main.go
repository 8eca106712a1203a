// Command bounces shows what bounces, complaints and automatic replies say.
//
//	bounces [-json] FILE|DIR…     reads .eml files, Maildirs and mboxes
//	bounces -listen 127.0.0.1:2424 [-lmtp] …   runs the receiver
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

func main() {
	enc := json.NewEncoder(os.Stdout)
	for _, name := range os.Args[1:] {
		if name == "-json" {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		r, err := bounce.Parse(f)
		f.Close()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		enc.Encode(result(name, r))
	}
}

type line struct {
	File         string      `json:"file"`
	Kind         string      `json:"kind"`
	Recipients   []recipient `json:"recipients"`
	FeedbackType string      `json:"feedback_type,omitempty"`
}

type recipient struct {
	Recipient string `json:"recipient"`
	Action    string `json:"action"`
	Status    string `json:"status"`
	Code      int    `json:"code"`
	Hard      bool   `json:"hard"`
	Category  string `json:"category"`
}

func result(name string, r *bounce.Report) line {
	l := line{File: name, Kind: kind(r.Kind), FeedbackType: r.FeedbackType, Recipients: []recipient{}}
	for _, x := range r.Recipients {
		l.Recipients = append(l.Recipients, recipient{x.Address, x.Action, x.Status, x.Code, x.Category.Hard(), x.Category.String()})
	}
	return l
}

func kind(k bounce.Kind) string {
	switch k {
	case bounce.Failed:
		return "bounce"
	case bounce.Delayed:
		return "delayed"
	case bounce.Delivered, bounce.Relayed, bounce.Expanded:
		return "delivered"
	case bounce.Complaint:
		return "complaint"
	case bounce.AutoReply:
		return "autoreply"
	}
	return "none"
}
