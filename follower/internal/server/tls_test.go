package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// authority makes a key pair that signs itself for 127.0.0.1, in PEM.
func authority(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tidemark test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", signed), block("PRIVATE KEY", encoded)
}

// place has the server itself write a file of its data directory: it is the
// server's, and nobody else may read it.
func place(t *testing.T, conn *pgx.Conn, name, text string) {
	t.Helper()
	lines := "$$" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "$$), ($$") + "$$"
	pgtest.Exec(t, conn, fmt.Sprintf("COPY (VALUES (%s)) TO PROGRAM 'umask 077; cat > %s'", lines, name))
}

// Who must, may or must not use TLS.
const hostRules = `local   all all trust
host    all postgres 127.0.0.1/32 trust
hostssl all secure 127.0.0.1/32 trust
hostnossl all plain 127.0.0.1/32 trust`

// sslmode means what it means to libpq, for both kinds of connections.
func TestTLSModes(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	sql := pgtest.Connect(t, cluster)
	certificate, key := authority(t)
	other, _ := authority(t)
	dir := t.TempDir()
	files := map[string]string{"": "", "ours": filepath.Join(dir, "ours.pem"), "other": filepath.Join(dir, "other.pem"), "none": filepath.Join(dir, "none.pem")}
	for name, text := range map[string]string{"ours": certificate, "other": other} {
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(user, mode, root string, want answer) {
		t.Helper()
		u, err := url.Parse(cluster.URL(user, "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, "hunter2")
		q := url.Values{}
		if mode != "" {
			q.Set("sslmode", mode)
		}
		if root != "" {
			q.Set("sslrootcert", files[root])
		}
		u.RawQuery = q.Encode()
		for kind, got := range dial(t.Context(), u.String()) {
			if got.is != want {
				t.Errorf("%s as %s with sslmode=%s, sslrootcert=%s: %s (%v), want %s", kind, user, mode, root, got.is, got.err, want)
			}
			if got.err != nil && strings.Contains(got.err.Error(), "hunter2") {
				t.Errorf("%s: the error holds the password: %v", kind, got.err)
			}
		}
	}
	check("postgres", "", "", clear)
	check("postgres", "prefer", "", clear)
	check("postgres", "require", "", refused)

	place(t, sql, "server.crt", certificate)
	place(t, sql, "server.key", key)
	place(t, sql, "pg_hba.conf", hostRules)
	pgtest.Exec(t, sql, "CREATE ROLE secure LOGIN SUPERUSER", "CREATE ROLE plain LOGIN SUPERUSER",
		"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	awaitTLS(t, strings.Replace(cluster.URL("postgres", "postgres"), "sslmode=disable", "sslmode=require", 1))

	check("postgres", "", "", encrypted)
	check("postgres", "disable", "", clear)
	check("postgres", "allow", "", clear)
	check("postgres", "prefer", "", encrypted)
	check("postgres", "require", "", encrypted)
	check("postgres", "require", "ours", encrypted)
	check("postgres", "require", "other", refused) // with a root certificate it is verify-ca
	check("postgres", "verify-ca", "ours", encrypted)
	check("postgres", "verify-ca", "other", refused)
	check("postgres", "verify-full", "ours", encrypted)
	check("postgres", "verify-full", "other", refused)
	check("postgres", "verify-full", "none", refused)

	check("secure", "disable", "", refused)
	check("secure", "allow", "", encrypted)
	check("secure", "prefer", "", encrypted)
	check("plain", "", "", clear) // what prefer tries after TLS was refused
	check("plain", "prefer", "", clear)
	check("plain", "require", "", refused)
}

// answer is what became of a connection.
type answer string

const (
	clear     answer = "without TLS"
	encrypted answer = "with TLS"
	refused   answer = "refused"
)

type outcome struct {
	is  answer
	err error
}

const isEncrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

// dial opens both kinds of connections.
func dial(ctx context.Context, database string) map[string]outcome {
	d, err := server.NewDialer(database, "tidemark")
	if err != nil {
		return map[string]outcome{"configuration": {refused, err}}
	}
	return map[string]outcome{"SQL": dialSQL(ctx, d), "replication": dialReplication(ctx, d)}
}

func dialSQL(ctx context.Context, d *server.Dialer) outcome {
	conn, _, err := d.SQL(ctx)
	if err != nil {
		return outcome{refused, err}
	}
	defer server.Close(conn)
	var tls bool
	if err := conn.QueryRow(ctx, isEncrypted).Scan(&tls); err != nil {
		return outcome{refused, err}
	}
	return outcome{is: map[bool]answer{true: encrypted, false: clear}[tls]}
}

func dialReplication(ctx context.Context, d *server.Dialer) outcome {
	conn, err := d.Replication(ctx)
	if err != nil {
		return outcome{refused, err}
	}
	defer server.CloseReplication(conn)
	results, err := conn.Exec(ctx, isEncrypted).ReadAll()
	if err != nil {
		return outcome{refused, err}
	}
	return outcome{is: map[string]answer{"t": encrypted, "f": clear}[string(results[0].Rows[0][0])]}
}

// awaitTLS waits until the server has read its files.
func awaitTLS(t *testing.T, database string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), database)
		if err == nil {
			_ = conn.Close(t.Context())
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the server does not offer TLS: %v", err)
		}
	}
}
