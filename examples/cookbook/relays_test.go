package cookbook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func internalCA(path string) (*tls.Config, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(path + " holds no certificate")
	}
	return &tls.Config{RootCAs: roots}, nil
}

func withPassword(cfg mxsend.Config, user, password string) mxsend.Config {
	// Called for each connection: a SASL client is for one exchange.
	cfg.Auth = func() sasl.Client { return sasl.NewPlainClient("", user, password) }
	return cfg
}

func TestInternalCA(t *testing.T) {
	if _, err := internalCA("relays.md"); err == nil {
		t.Error("a page was taken for a certificate")
	}
	if _, err := internalCA("nowhere.pem"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWithPassword(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Users: map[string]string{"shop": "secret"}})
	send := func(password string) error {
		client := newClient(t, cluster, func(cfg *mxsend.Config) { *cfg = withPassword(*cfg, "shop", password) })
		_, err := client.Send(t.Context(), passwordMail("jane"))
		return err
	}
	if err := send("secret"); err != nil {
		t.Error(err)
	}
	if err := send("wrong"); !errors.Is(err, mxsend.ErrRelayRefused) {
		t.Errorf("a wrong password: got %v", err)
	}
}
