// Package postfix runs Postfix's programs beside whatever Postfix the machine may
// have: smtp-source, smtp-sink, and instances with directories of their own.
package postfix

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Program finds one of Postfix's programs, which are not in everybody's PATH.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/local/sbin", "/opt/homebrew/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s was not found: install Postfix", name)
}
