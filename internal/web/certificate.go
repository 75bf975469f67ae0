package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
)

func newCertificate(certFile, keyFile string, logger *slog.Logger) (*reloaded[*tls.Certificate], error) {
	switch {
	case certFile == "" && keyFile == "":
		return nil, nil // no files: no TLS
	case certFile == "" || keyFile == "":
		return nil, errors.New("TLS needs both cert_file and key_file")
	}
	certificate, err := load(logger, parseKeyPair, certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS key pair: %w", err)
	}
	return certificate, nil
}

func parseKeyPair(contents [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// tlsConfig offers HTTP/1.1 only (see the package documentation).
func tlsConfig(certificate *reloaded[*tls.Certificate]) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certificate.get(), nil
		},
	}
}
