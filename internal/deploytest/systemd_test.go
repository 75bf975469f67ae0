package deploytest_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exposed is the greatest exposure that systemd may see in the unit, of 10.
const exposed = 1.5

// settings are the lines of a unit, in order, by section and key.
func settings(t *testing.T, unit string) map[string][]string {
	t.Helper()
	found, section := map[string][]string{}, ""
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		key, value, pair := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case !pair:
			t.Errorf("line %q is no setting", line)
		default:
			found[section+"."+key] = append(found[section+"."+key], value)
		}
	}
	return found
}

// The unit runs a command that there is, as this program ends: it tells nobody
// that it is ready, so it is no Type=notify.
func TestUnit(t *testing.T) {
	t.Parallel()
	unit := settings(t, read(t, "systemd/tidemark.service"))
	for key, want := range map[string]string{
		"Service.Type": "exec", "Service.ExecStart": "/usr/local/bin/tidemark run -c /etc/tidemark/tidemark.yaml",
		"Service.RestartPreventExitStatus": "2", "Service.DynamicUser": "yes", "Service.CapabilityBoundingSet": "",
		"Service.NoNewPrivileges": "yes", "Service.ProtectSystem": "strict", "Install.WantedBy": "multi-user.target",
	} {
		if got := unit[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	_, err := tidemark(t, nil, "run", "-c", write(t, "tidemark.yaml", "streams: []"))
	if exit := new(exec.ExitError); !asExit(err, exit) || exit.ExitCode() != 2 {
		t.Errorf("run with a bad configuration: %v, and the unit would try again for ever", err)
	}
	env := settings(t, "[env]\n"+read(t, "systemd/tidemark.env"))
	if len(env) != 1 || len(env["env.TIDEMARK_DATABASE_URL"]) != 1 {
		t.Errorf("environment %v", env)
	}
}

func asExit(err error, into *exec.ExitError) bool {
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // Run returns it bare
	if ok {
		*into = *exit
	}
	return ok
}

// systemd-analyze, where it is installed, finds nothing wrong with the unit and
// little that is exposed; the page says as much.
func TestSystemdAnalyze(t *testing.T) {
	t.Parallel()
	page := read(t, "systemd/README.md")
	said := regexp.MustCompile(`(?m)^→ Overall exposure level for tidemark.service: ([0-9.]+) OK`).FindStringSubmatch(page)
	if said == nil {
		t.Fatal("the page does not say what systemd-analyze security says")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: the unit's settings are checked without it")
		return
	}
	unit := strings.Replace(read(t, "systemd/tidemark.service"), "/usr/local/bin/tidemark", "/bin/true", 1)
	path := filepath.Join(t.TempDir(), "tidemark.service")
	overwrite(t, path, unit)
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "tidemark.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if level := exposure(t, analyze, path); level > exposed {
		t.Errorf("exposure %.1f, want at most %.1f", level, exposed)
	}
	if level, err := strconv.ParseFloat(said[1], 64); err != nil || level > exposed {
		t.Errorf("the page says %s", said[1])
	}
	overwrite(t, path, strings.Replace(unit, "NoNewPrivileges=yes", "", 1)+"\n[Service]\nProtectSystem=no\nDynamicUser=no\nSystemCallFilter=\n")
	if level := exposure(t, analyze, path); level <= exposed {
		t.Errorf("exposure %.1f of a unit without its hardening: this test proves nothing", level)
	}
}

func exposure(t *testing.T, analyze, unit string) float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	found := regexp.MustCompile(`Overall exposure level for tidemark.service: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	level, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return level
}
