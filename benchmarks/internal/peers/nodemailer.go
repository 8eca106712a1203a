package peers

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed nodemailer.cjs
var nodemailerScript []byte

// nodemailer is its pool of connections. It is given each message complete, so
// that it composes nothing.
func nodemailer(job Job) (*exec.Cmd, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node was not found")
	}
	modules, err := exec.Command("npm", "root", "-g").Output()
	if err != nil {
		return nil, errors.New("npm was not found")
	}
	path := strings.TrimSpace(string(modules))
	if _, err := os.Stat(filepath.Join(path, "nodemailer")); err != nil {
		return nil, errors.New("it is not installed: npm install -g nodemailer")
	}
	script, content := filepath.Join(job.Scratch, "nodemailer.cjs"), filepath.Join(job.Scratch, strconv.Itoa(job.Size)+".crlf")
	if err := errors.Join(
		os.WriteFile(script, nodemailerScript, 0o644),
		os.WriteFile(content, Content(job.Size), 0o644),
	); err != nil {
		return nil, err
	}
	host, port, err := splitAddress(job.Address)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node, script, host, strconv.Itoa(port), LocalName, recipient, content,
		strconv.Itoa(job.Connections), strconv.Itoa(job.Messages))
	cmd.Env = append(os.Environ(), "NODE_PATH="+path)
	return cmd, nil
}
