package peers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
)

// smtpSource is Postfix's load generator. It cannot vary the return path; in all
// else the job is the same.
func smtpSource(job Job) (*exec.Cmd, error) {
	program, err := postfix.Program("smtp-source")
	if err != nil {
		return nil, err
	}
	// It wants the message with bare LF in a file, and puts an empty line behind it.
	if job.Scratch == "" {
		return nil, errors.New("smtp-source needs Job.Scratch")
	}
	file := filepath.Join(job.Scratch, fmt.Sprintf("%d.eml", job.Size))
	if err := os.WriteFile(file, bytes.ReplaceAll(Content(job.Size-2), []byte("\r\n"), []byte("\n")), 0o644); err != nil {
		return nil, err
	}
	return exec.Command(program, "-4", "-d", "-M", LocalName,
		"-s", strconv.Itoa(job.Connections), "-m", strconv.Itoa(job.Messages),
		"-f", fmt.Sprintf(pathFormat, 0), "-t", recipient, "-F", file, job.Address), nil
}
