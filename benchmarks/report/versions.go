package main

import (
	"context"
	"debug/buildinfo"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
)

// A version is of something that a benchmark used, or that stood beside it.
type version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// compared are the modules whose code is measured beside this library.
var compared = []string{"github.com/emersion/go-smtp", "github.com/wneessen/go-mail", "github.com/emersion/go-msgauth"}

// versions asks everything for its version; what is not there has none.
func versions(ctx context.Context, program string) (all []version) {
	add := func(name, text string) {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, version{name, text})
		}
	}
	say := func(command string, args ...string) string {
		if !filepath.IsAbs(command) {
			path, err := exec.LookPath(command)
			if err != nil {
				return ""
			}
			command = path
		}
		out, err := exec.CommandContext(ctx, command, args...).Output()
		if err != nil {
			return ""
		}
		return string(out)
	}
	add("kernel", say("uname", "-sr"))
	if info, err := buildinfo.ReadFile(program); err == nil {
		add("Go", strings.TrimPrefix(info.GoVersion, "go"))
		for _, m := range info.Deps {
			if slices.Contains(compared, m.Path) {
				add(strings.TrimPrefix(m.Path, "github.com/"), m.Version)
			}
		}
	}
	if postconf, err := postfix.Program("postconf"); err == nil {
		add("Postfix, smtp-source, smtp-sink", say(postconf, "-dh", "mail_version"))
	}
	openSSL, _, _ := strings.Cut(strings.TrimPrefix(say("openssl", "version"), "OpenSSL "), " ")
	add("OpenSSL", openSSL)
	add("node", strings.TrimPrefix(say("node", "--version"), "v"))
	if modules := strings.TrimSpace(say("npm", "root", "-g")); modules != "" {
		add("nodemailer", say("node", "-p", "require(process.argv[1]).version", filepath.Join(modules, "nodemailer", "package.json")))
	}
	return all
}
