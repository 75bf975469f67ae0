package torture

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The daemons' clock jumps: no process may set the machine's, so the program is
// built with another package time, in which the wall clock is moved every two
// seconds by up to 18 hours, forwards or back. The monotonic clock goes on as it
// does when a real one is set. (An embedded follower has the clock of its
// process: the same code.)

const clockJumps = "clock of the daemons jumps"

const (
	realNow    = "	sec, nsec, mono := runtimeNow()\n"
	jumpingNow = realNow + "	sec += int64(uint64(mono/2e9)*0x9E3779B97F4A7C15>>47) - 1<<16\n"
)

// buildJumping builds the program with a clock that jumps; "" where that cannot
// be done, and the reason is in the log.
func buildJumping(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Logf("no clock jumps, for there is no go command: %v", err)
		return ""
	}
	original, dir := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go"), t.TempDir()
	text, err := os.ReadFile(original)
	if err != nil || strings.Count(string(text), realNow) != 1 {
		t.Logf("no clock jumps: time.Now is written otherwise in this version of Go (%v)", err)
		return ""
	}
	changed, overlay, program := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "tidemark")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{changed: strings.Replace(string(text), realNow, jumpingNow, 1), overlay: string(replace)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, "../../cmd/tidemark").CombinedOutput(); err != nil {
		t.Logf("no clock jumps, for the program cannot be built: %s", out)
		return ""
	}
	return program
}

// clocks are faults of the clock.
func clocks() []kind {
	return []kind{{
		name: clockJumps,
		fits: func(w *world) bool { return len(w.daemons) > 0 && w.plan.jumping != "" },
		// They stay so until they are killed for another reason.
		bring: func(_ context.Context, w *world, _ *rand.Rand) error {
			for _, d := range w.daemons {
				d.kill(w.plan.jumping)
			}
			return w.startDaemons()
		},
	}}
}
