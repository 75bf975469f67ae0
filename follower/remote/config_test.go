package remote_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/remote"
)

const secret = "s3cret-token"

func TestConfigNamesEveryProblem(t *testing.T) {
	_, err := remote.New(remote.Config{
		URLs:    []string{"127.0.0.1:8474", "ftp://h", "http://u:" + secret + "@h", "http://h?token=" + secret, "http://h/#x", "http://", "http://h:x"},
		Streams: []string{"a", "", "a", strings.Repeat("x", 201), "\xff"},
		Token:   secret + "\n", TLS: &tls.Config{}, HTTPClient: &http.Client{},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"URL 1 ", "URL 2 ", "URL 3 ", "URL 4 ", "URL 5 ", "URL 6 ", "URL 7 ", `stream name ""`, `stream "a" is given twice`, `"xxx`,
		`stream name "\xff"`, "printable ASCII", "both TLS and HTTPClient",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows a secret: %v", err)
	}
	_, err = remote.New(remote.Config{})
	if err == nil || !strings.Contains(err.Error(), "no URL") || !strings.Contains(err.Error(), "no stream") {
		t.Errorf("nothing given: %v", err)
	}
}

func TestConfigDoesNotShowSecrets(t *testing.T) {
	cfg := remote.Config{URLs: []string{"http://u:" + secret + "@h/p?q=" + secret, "%"}, Streams: []string{"events"}, Token: secret}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", cfg)
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), log.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "http://h/p") || !strings.Contains(text, "events") {
			t.Errorf("shown as %s", text)
		}
	}
}

func TestRefusedErrorSaysWhatToDo(t *testing.T) {
	for status, want := range map[int]string{401: "token", 403: "token", 404: "names of the streams", 410: "another address"} {
		err := error(&remote.RefusedError{URL: "http://h", Status: status})
		var refused *remote.RefusedError
		if text := err.Error(); !errors.As(err, &refused) || !strings.Contains(text, want) || !strings.Contains(text, http.StatusText(status)) {
			t.Errorf("%d: %s", status, text)
		}
	}
}
