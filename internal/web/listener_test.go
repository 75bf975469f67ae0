package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/web"
)

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	s := open(t, web.Config{MaxConnections: 2}, "events")
	_, one := s.events(t, "/v1/events")
	s.events(t, "/v1/events")
	s.turnsAway(t)
	one()
	s.letsIn(t, s.client)
}

// One address cannot take the places of all, and gets back what it gives up.
func TestConnectionsOfOneClientAreBounded(t *testing.T) {
	var logged strings.Builder
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	s := open(t, web.Config{MaxConnectionsPerClient: 2, Logger: logger}, "events")
	_, one := s.events(t, "/v1/events")
	s.events(t, "/v1/events")
	s.turnsAway(t)
	s.turnsAway(t)
	if runtime.GOOS == "linux" { // elsewhere there is no second address to come from
		other := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		s.letsIn(t, &http.Client{Transport: &http.Transport{DialContext: other.DialContext, DisableKeepAlives: true}})
	}
	one()
	s.letsIn(t, s.client)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if said := logged.String(); strings.Count(said, "turned away") != 1 || !strings.Contains(said, "limit=http.max_connections_per_client client=127.0.0.1") {
		t.Errorf("the log says %s", said)
	}
}

// turnsAway wants a connection closed before anything is said.
func (s *site) turnsAway(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
}

// letsIn waits until there is a place.
func (s *site) letsIn(t *testing.T, client *http.Client) {
	t.Helper()
	eventually(t, "a place is free", func() bool {
		res, err := client.Get(s.base + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == 200
	})
}

// writePair writes a fresh key pair for 127.0.0.1 with that serial number.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSAndItsReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writePair(t, dir, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the serial number is what is looked at
	}
	cfg := web.Config{CertFile: certFile, KeyFile: keyFile, TokenFile: tokenFile(t, secret)}
	s := openOn(t, cfg, ln, transport, "events")
	s.base = "https" + strings.TrimPrefix(s.base, "http")
	serial := func() int64 {
		res, err := s.client.Do(s.request(t, "GET", "/healthz"))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.ProtoMajor != 1 {
			t.Errorf("HTTP/%d", res.ProtoMajor)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	if set := s.logIn(t, secret).header.Get("Set-Cookie"); !strings.Contains(set, "; Secure") {
		t.Errorf("cookie %q", set)
	}
	writePair(t, dir, 2)
	eventually(t, "the new pair is used", func() bool { return serial() == 2 })
}
