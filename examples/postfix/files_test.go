package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The files are to be read in one go, and each line has its reason above it. What counts is what Postfix reads: neither comments nor
// empty lines, and a continued line as two.
func TestFilesAreShort(t *testing.T) {
	var counts []any
	for _, host := range []struct {
		kind string
		most int
	}{{"primary", 28}, {"graveyard", 21}, {"receiver", 12}} {
		n := 0
		for line := range strings.Lines(readFile(t, host.kind, "main.cf")) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				n++
			}
		}
		if n > host.most || n < 8 {
			t.Errorf("%s/main.cf has %d lines, want at most %d", host.kind, n, host.most)
		}
		counts = append(counts, n)
	}
	if want := fmt.Sprintf("`main.cf` (%d, %d and %d lines besides comments)", counts...); !strings.Contains(readFile(t, "README.md"), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

func parseMainCF(t *testing.T, kind string) mxtest.RelayConfig {
	t.Helper()
	cfg, err := mxtest.ParseMainCF(readFile(t, kind, "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The test MTA runs with these very files.
func TestFilesInTheModel(t *testing.T) {
	primary, graveyard := parseMainCF(t, "primary"), parseMainCF(t, "graveyard")
	if primary.SenderTransports["tx.shop.test"] != "trans" || primary.TransportMaps["t-online.de"] != "tonline" || primary.SMTPConnectTimeout != 10*time.Second ||
		primary.SMTPDTLSSecurityLevel != "encrypt" || graveyard.MaximalBackoffTime != 4*time.Hour || graveyard.QmgrMessageActiveLimit != 200000 {
		t.Errorf("got %+v and %+v", primary, graveyard)
	}
	if !reflect.DeepEqual(primary.TransportMaps, graveyard.TransportMaps) {
		t.Errorf("transports of the primary %v, of the graveyard %v", primary.TransportMaps, graveyard.TransportMaps)
	}
	delete(primary.Transports, "trans")
	if !reflect.DeepEqual(primary.Transports, graveyard.Transports) {
		t.Errorf("limits of the primary %v, of the graveyard %v", primary.Transports, graveyard.Transports)
	}
	mxtest.NewCluster(t, mxtest.Config{
		Domain: "relays.shop.test", GraveyardDomain: "graveyard.shop.test",
		Relay: func(name string) mxtest.RelayConfig {
			if strings.HasPrefix(name, "g") {
				return parseMainCF(t, "graveyard")
			}
			return parseMainCF(t, "primary")
		},
	})
	// The receiving host is no relay, and the model says so: it hands mail to an application.
	_, err := mxtest.ParseMainCF(readFile(t, "receiver", "main.cf"))
	if err == nil || !strings.Contains(err.Error(), "a next hop (inet:192.0.2.1:2424)") || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want an error for each of two next hops", err)
	}
}

// Every transport that main.cf names is in master.cf, by a line of its own.
func TestTransportsExist(t *testing.T) {
	for _, kind := range []string{"primary", "graveyard"} {
		services := map[string]bool{}
		for line := range strings.Lines(readFile(t, kind, "master.cf")) {
			if fields := strings.Fields(line); len(fields) > 7 && fields[0][0] != '#' {
				services[fields[0]+" "+fields[7]] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(parseMainCF(t, kind).Transports)) {
			if !services[name+" smtp"] {
				t.Errorf("%s/master.cf has no transport %s", kind, name)
			}
		}
	}
}

// Postfix itself knows every parameter.
func TestPostfixReadsFiles(t *testing.T) {
	postconf, err := exec.LookPath("postconf")
	if err != nil {
		if postconf = "/usr/sbin/postconf"; exec.Command(postconf, "-d", "mail_version").Run() != nil {
			t.Skip("needs postconf: ", err)
		}
	}
	for _, kind := range []string{"primary", "graveyard", "receiver"} {
		for _, args := range [][]string{{"-n"}, {"-M"}, {"-P"}} {
			cmd := exec.Command(postconf, append([]string{"-c", kind}, args...)...)
			var said strings.Builder
			cmd.Stderr = &said
			if out, err := cmd.Output(); err != nil || said.Len() > 0 {
				t.Errorf("%s: postconf %s: %v %s%s", kind, args, err, said.String(), out)
			}
		}
	}
}

// The zone has what the files refer to.
func TestZone(t *testing.T) {
	dir := t.TempDir()
	zoneFile := filepath.Join(dir, "shop.test.zone")
	for file, text := range map[string]string{zoneFile: readFile(t, "shop.test.zone"), filepath.Join(dir, "dkim.zone"): "s1._domainkey.shop.test. TXT \"v=DKIM1; p=\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	z, err := loadZone("127.0.19", []string{zoneFile, "2.0.192.in-addr.arpa.zone"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		exists bool
		want   []string // in the records, in their order
	}{
		{"relays.shop.test.", true, []string{"MX\t10 p1.relays.shop.test.", "MX\t10 p2.relays.shop.test."}},
		{"graveyard.shop.test.", true, []string{"MX\t10 g1.relays.shop.test.", "MX\t10 g2.relays.shop.test."}},
		{"p1.relays.shop.test.", true, []string{"A\t192.0.2.11", "v=spf1 a -all"}},
		{"22.2.0.192.in-addr.arpa.", true, []string{"PTR\tg2.relays.shop.test."}},
		{"bounce.shop.test.", true, []string{"MX\t10 in.shop.test.", "ip4:192.0.2.11 ip4:192.0.2.12 ip4:192.0.2.21 ip4:192.0.2.22 -all"}},
		{"_domainkey.shop.test.", true, nil},
		{"nobody.shop.test.", false, nil},
		{"bigmail.test.", true, []string{"MX\t10 mx.bigmail.test."}},
		{"d7.silent.test.", true, []string{"MX\t10 mx.d7.silent.test."}},
		{"mx.d7.silent.test.", true, []string{"A\t127.0.19.105"}},
		{"closed.test.", true, []string{"MX\t0 ."}},
		{"anything.test.", true, []string{"MX\t10 mx.anything.test."}},
		{"example.com.", false, nil},
	} {
		records, exists := z.lookup(tt.name)
		if exists != tt.exists || len(records) != len(tt.want) {
			t.Errorf("%s: got %v, %v, want %v, %v", tt.name, records, exists, tt.want, tt.exists)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(records[i].String(), want) {
				t.Errorf("%s: got %s, want %s in it", tt.name, records[i], want)
			}
		}
	}
}
