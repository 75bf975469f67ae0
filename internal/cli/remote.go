package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/client"
)

// tokenVariable holds the token where no file is named.
const tokenVariable = "TIDEMARK_TOKEN"

// remote are the flags of every command that asks a daemon.
type remote struct {
	sys            System
	url, tokenFile string
}

func remoteFlags(cmd *cobra.Command, sys System) *remote {
	r := &remote{sys: sys}
	cmd.Flags().StringVar(&r.url, "url", client.DefaultURL, "`URL` of the daemon")
	cmd.Flags().StringVar(&r.tokenFile, "token-file", "", "`FILE` with the daemon's token (else the variable "+tokenVariable+")")
	return r
}

func (r *remote) client() (*client.Client, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	c, err := client.New(r.url, token)
	if err != nil {
		return nil, usage("--url: %w", err)
	}
	return c, nil
}

func (r *remote) token() (string, error) {
	if r.tokenFile == "" {
		return usable(strings.TrimSpace(r.sys.Getenv(tokenVariable)), tokenVariable)
	}
	text, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return "", usage("read the token: %w: name another file with --token-file", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", usage("read the token: %s is empty: name another file with --token-file", r.tokenFile)
	}
	return usable(token, r.tokenFile)
}

// usable refuses a token that no header can hold, without showing it.
func usable(token, from string) (string, error) {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", usage("read the token: what %s holds is none: it has characters other than printable ASCII without spaces", from)
	}
	return token, nil
}
