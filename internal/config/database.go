package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

const mendURL = "write postgres://user@host:5432/database, special characters in the password percent-encoded"

// CheckDatabaseURL refuses what is no connection string, in words that follow
// its name and repeat no part of it.
func CheckDatabaseURL(s string) error {
	if what, do := checkURL(s); what != "" {
		return fmt.Errorf("%s: %s", what, do)
	}
	return nil
}

// checkURL says what is wrong with a connection string. It never repeats any
// part of it, nor the library's message, which does: a string that cannot be
// read cannot be told apart into password and the rest.
func checkURL(s string) (what, do string) {
	if s == "" {
		return "is empty", mendURL
	}
	c, err := pgconn.ParseConfig(s)
	if err == nil {
		return checkParsed(s, c)
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return "names a certificate, key or service file that cannot be read (" + pathErr.Err.Error() + ")", "check the files of sslrootcert, sslcert and sslkey"
	}
	if reason := knownReason(err); reason != "" {
		return "is not a connection string (" + reason + ")", mendURL
	}
	return "is not a connection string", mendURL
}

// checkParsed refuses a URL whose password spilt over: an @ or / in it that is
// not percent-encoded makes the rest of it a part of host or database name,
// which are shown.
func checkParsed(s string, c *pgconn.Config) (what, do string) {
	url := strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
	spilt := url && strings.Contains(c.Database, "@")
	for _, host := range hosts(c) {
		spilt = spilt || strings.Contains(host, "@")
	}
	if spilt {
		return "holds an @ after its host", mendURL
	}
	return "", ""
}

// knownReason picks out of the library's message a reason that is the same
// for every string, and so cannot hold a part of this one.
func knownReason(err error) string {
	message := err.Error()
	message = message[strings.LastIndex(message, "`: ")+1:]
	for _, reason := range []string{
		"invalid port", "sslmode is invalid", "invalid connect_timeout", "invalid sslcertmode", "unknown target_session_attrs",
		"unknown channel_binding", "invalid require_auth", "failed to read service", "failed to configure TLS",
		"failed to parse as URL", "failed to parse as keyword/value",
	} {
		if strings.Contains(message, reason) {
			return reason
		}
	}
	return ""
}

// checkReaderURL accepts one server: what a position is visible on must be
// known, and one of several hosts is not (RULES 14).
func checkReaderURL(s string) (what, do string) {
	if what, do = checkURL(s); what != "" {
		return what, do
	}
	c, err := pgconn.ParseConfig(s)
	if err == nil && len(hosts(c)) > 1 {
		return "names several hosts", "list each standby as a reader of its own"
	}
	return "", ""
}

func checkOptionalReaderURL(s string) (what, do string) {
	if s == "" {
		return "", ""
	}
	return checkReaderURL(s)
}

// hosts lists the servers of a connection string, without the repetitions
// that stand for other ways to encrypt.
func hosts(c *pgconn.Config) []string {
	all := []string{hostPort(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		if h := hostPort(f.Host, f.Port); !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

func hostPort(host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// redact shows whom a connection string reaches, without any secret.
func redact(s string) string {
	c, err := pgconn.ParseConfig(s)
	if err != nil {
		return "(not a connection string)"
	}
	return "postgres://" + c.User + "@" + strings.Join(hosts(c), ",") + "/" + c.Database
}
