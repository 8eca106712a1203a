package report

import (
	"bufio"
	"os"
	"runtime"
	"strings"
)

// A Machine is where a benchmark ran: figures mean little without.
type Machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	CPU   string `json:"cpu,omitempty"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
}

// ThisMachine describes the one at hand.
func ThisMachine() Machine {
	return Machine{runtime.GOOS, runtime.GOARCH, processor(), runtime.NumCPU(), runtime.Version()}
}

// processor is the name that Linux gives the processor; elsewhere it is unknown.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
