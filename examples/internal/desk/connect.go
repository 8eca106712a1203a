package desk

import (
	"fmt"
	"net/http"
	"strings"
)

// A snippet is how a client is told of the relays.
type snippet struct{ ID, Title, Note, Code string }

// connect answers with the lines that connect a client.
func (d *Desk) connect(w http.ResponseWriter, r *http.Request) {
	d.show(w, r, "connect.html", view{Title: "Connect", Here: "/connect", Data: d.snippets()})
}

// api answers with what the API can do.
func (d *Desk) api(w http.ResponseWriter, r *http.Request) {
	d.show(w, r, "api.html", view{Title: "API", Here: "/api", Data: struct {
		Actions []apiLine `json:"relays"`
		Answers []apiLine `json:"destinations"`
		Host    string    `json:"-"`
	}{relayLines(), answerLines(), r.Host}})
}

// An apiLine is something that can be done, and the Go of it.
type apiLine struct {
	Name string `json:"do"`
	What string `json:"what"`
	Go   string `json:"go"`
}

func relayLines() []apiLine {
	var list []apiLine
	for _, a := range actions {
		list = append(list, apiLine{a.name, a.what, fmt.Sprintf(a.code, "cluster.Primary(0)")})
	}
	return list
}

func answerLines() []apiLine {
	var list []apiLine
	for _, a := range answers {
		line := apiLine{a.Name, strings.Replace(a.Label, "… s", "wait seconds", 1), `cluster.Destination("example.test").Reset()`}
		if a.do != nil {
			line.Go = `cluster.Destination("example.test").` + strings.Replace(a.code, "%d", "20", 1)
		}
		list = append(list, line)
	}
	return list
}

// ca answers with the CA's certificate.
func (d *Desk) ca(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", "attachment; filename=ca.pem")
	w.Write(d.cluster.CA())
}

// snippets are the lines for each kind of client.
func (d *Desk) snippets() []snippet {
	var hosts, postfix []string
	first := ""
	for _, r := range d.cluster.Relays() {
		if r.Graveyard() {
			continue
		}
		ip, port, _ := strings.Cut(r.ListenAddr(), ":")
		if first == "" {
			first = r.Name() + " " + ip + " " + port
		}
		hosts = append(hosts, fmt.Sprintf("\t\tmxsend.Host{Name: %q, Addresses: local, Port: %s},", r.Name(), port))
		postfix = append(postfix, fmt.Sprintf("[%s]:%s", ip, port))
	}
	var name, ip, port string
	fmt.Sscan(first, &name, &ip, &port)
	return []snippet{
		{"go", "Go, with mxsend", "All primaries, with fail-over. In a test of Go, mxtest.NewCluster gives you a cluster of your own instead.", `pem, err := os.ReadFile("ca.pem")
// …
roots := x509.NewCertPool()
roots.AppendCertsFromPEM(pem)
local := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
client, err := mxsend.New(mxsend.Config{
	Resolver: mxsend.StaticRelays(
` + strings.Join(hosts, "\n") + `
	),
	TLSConfig: &tls.Config{RootCAs: roots},
})`},
		{"nodemailer", "Node.js, with nodemailer", "One relay.", fmt.Sprintf(`const transport = nodemailer.createTransport({
  host: %q, port: %s,
  secure: false, requireTLS: true,
  tls: { ca: fs.readFileSync("ca.pem"), servername: %q },
});`, ip, port, name)},
		{"php", "PHP, with PHPMailer", "One relay.", fmt.Sprintf(`$mail->isSMTP();
$mail->Host = '%s';
$mail->Port = %s;
$mail->SMTPSecure = PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => [
    'cafile' => 'ca.pem', 'peer_name' => '%s',
]];`, ip, port, name)},
		{"postfix", "Postfix, as relayhost", "All primaries, tried in this order (Postfix 3.5 and later take a list). For a Postfix of your own on this machine only: it will deliver nothing to the world.", fmt.Sprintf(`relayhost = %s
smtp_tls_security_level = encrypt
smtp_tls_CAfile = /path/to/ca.pem`, strings.Join(postfix, ", "))},
		{"any", "Anything that speaks SMTP", "", fmt.Sprintf("swaks --server %s:%s --tls --to jane@grey.test", ip, port)},
	}
}
