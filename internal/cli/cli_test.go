package cli

import (
	"io"
	"testing"
)

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	root := newRoot(System{Stdout: io.Discard, Stderr: io.Discard})
	there := make(map[string]bool)
	for _, cmd := range root.Commands() {
		there[cmd.Name()] = true
		if cmd.Short == "" || cmd.RunE == nil {
			t.Errorf("%s explains nothing, or does nothing", cmd.Name())
		}
	}
	for _, name := range []string{"run", "check", "setup", "teardown", "tail", "status", "wait", "watch", "demo", "version"} {
		if !there[name] {
			t.Errorf("there is no command %s", name)
		}
	}
}
