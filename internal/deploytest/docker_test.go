package deploytest_test

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// instructions are those of a Dockerfile, by word; of the last stage only those
// after its FROM.
func instructions(text string) (all, last []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "FROM ") {
			last = nil
		}
		all, last = append(all, line), append(last, line)
	}
	return all, last
}

// The image is made of the static program and certificates alone, and nobody in
// it is root.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := read(t, "docker/Dockerfile")
	all, last := instructions(text)
	if !strings.Contains(text, "RUN CGO_ENABLED=0 "+buildStatic+"\n") {
		t.Errorf("the program is not built by %q, which the tests run", buildStatic)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindSubmatch(mod)
	if want := "FROM golang:" + string(version[1]) + " AS build"; all[0] != want {
		t.Errorf("%q, want %q, as go.mod wants it", all[0], want)
	}
	want := []string{
		"FROM scratch",
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
		"COPY --from=build /src/tidemark /tidemark",
		"USER 65532:65532", "EXPOSE 8474", "STOPSIGNAL SIGTERM", `ENTRYPOINT ["/tidemark"]`,
		`CMD ["run", "-c", "/etc/tidemark/tidemark.yaml"]`,
	}
	if strings.Join(last, "\n") != strings.Join(want, "\n") {
		t.Errorf("last stage\n%s\nwant\n%s", strings.Join(last, "\n"), strings.Join(want, "\n"))
	}
}

// A program in an image from scratch must need no loader and no library.
func TestProgramIsStatic(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // what is built here is not what the image holds
	}
	file, err := elf.Open(os.Getenv(programVariable))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("it needs %v, %v", libraries, err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it needs a loader")
		}
	}
}

// The build's context lacks only what git ignores too: where a file that git
// knows is missing, the go command stamps the version as changed.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	ignored, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	inner := read(t, "docker/.gitignore")
	_, patterns := instructions(read(t, "docker/Dockerfile.dockerignore"))
	for _, p := range patterns {
		p = strings.TrimPrefix(p, "**/")
		if !strings.Contains(string(ignored), p) && !strings.Contains(inner, p) {
			t.Errorf("%s is left out of the context, and git knows it: the version would say dirty", p)
		}
	}
}

// compose is what is used of the Compose specification; other fields are
// refused. https://docs.docker.com/reference/compose-file/
type compose struct {
	Name     string `yaml:"name"`
	Services map[string]struct {
		Image     string            `yaml:"image"`
		Build     map[string]string `yaml:"build"`
		Command   []string          `yaml:"command"`
		DependsOn map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		Environment map[string]string   `yaml:"environment"`
		Volumes     []string            `yaml:"volumes"`
		Configs     []map[string]string `yaml:"configs"`
		Secrets     []string            `yaml:"secrets"`
		Ports       []string            `yaml:"ports"`
		ReadOnly    bool                `yaml:"read_only"`
		CapDrop     []string            `yaml:"cap_drop"`
		SecurityOpt []string            `yaml:"security_opt"`
		MemLimit    string              `yaml:"mem_limit"`
		Grace       string              `yaml:"stop_grace_period"`
		Restart     string              `yaml:"restart"`
		Healthcheck struct {
			Test     []string `yaml:"test"`
			Interval string   `yaml:"interval"`
			Timeout  string   `yaml:"timeout"`
			Start    string   `yaml:"start_period"`
			Retries  int      `yaml:"retries"`
		} `yaml:"healthcheck"`
	} `yaml:"services"`
	Configs map[string]map[string]string `yaml:"configs"`
	Secrets map[string]map[string]string `yaml:"secrets"`
	Volumes map[string]map[string]string `yaml:"volumes"`
}

// Files that compose.yaml names are there, variables are in .env.example, and
// what the services get is declared.
func TestCompose(t *testing.T) {
	t.Parallel()
	var c compose
	strictly(t, "docker/compose.yaml", &c)
	text, example := read(t, "docker/compose.yaml"), read(t, "docker/.env.example")
	variables := regexp.MustCompile(`\$\{(\w+)|environment: (\w+)\}`).FindAllStringSubmatch(text, -1)
	if len(variables) < 4 {
		t.Errorf("variables %v", variables)
	}
	for _, m := range variables {
		if name := m[1] + m[2]; !strings.Contains(example, "\n"+name+"=") {
			t.Errorf("%s is not in .env.example", name)
		}
	}
	daemon := c.Services["tidemark"]
	if !daemon.ReadOnly || len(daemon.CapDrop) != 1 || daemon.CapDrop[0] != "ALL" {
		t.Error("the daemon has more rights than it needs")
	}
	for _, name := range daemon.Secrets {
		if c.Secrets[name] == nil {
			t.Errorf("secret %s is not declared", name)
		}
	}
	for _, file := range []string{c.Configs["tidemark"]["file"], filepath.Join(daemon.Build["context"], daemon.Build["dockerfile"])} {
		if _, err := os.Stat(filepath.Join(deploy, "docker", file)); err != nil {
			t.Error(err)
		}
	}
	if daemon.DependsOn["postgres"].Condition != "service_healthy" {
		t.Error("the daemon does not wait for the server")
	}
}

// What the server's container runs makes a database on which the daemon of the
// other container works, with its configuration and its health check.
func TestComposeWorks(t *testing.T) {
	t.Parallel()
	var file compose
	strictly(t, "docker/compose.yaml", &file)
	c := pgtest.Start(t)
	mustPsql(t, c, "", "CREATE DATABASE app")
	initialise(t, file, c.URL("", "app"))
	var set bool
	query(t, pgtest.Connect(t, c), "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'tidemark'", &set)
	if !set {
		t.Error("the role has no password")
	}

	token := write(t, "token", "changeme3\n")
	d := startDaemon(t, strings.Replace(read(t, "docker/tidemark.yaml"), "/run/secrets/token", token, 1),
		"TIDEMARK_DATABASE_URL="+strings.Replace(c.URL("tidemark", "app"), "tidemark@", "tidemark:changeme2@", 1))
	check := file.Services["tidemark"].Healthcheck.Test[2:]
	args := strings.Fields(strings.Replace(strings.Join(check, " "), "/run/secrets/token", token, 1) + " --url " + d.url + " --json")
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := tidemark(t, nil, args...)
		var answer struct{ Streams []struct{ State string } }
		if err == nil && json.Unmarshal([]byte(out), &answer) == nil && answer.Streams[0].State == "following" {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("health check: %v\n%s", err, out)
			break
		}
	}
	if _, err := tidemark(t, nil, "status", "--url", d.url); err == nil {
		t.Error("no token is wanted")
	}
}

// initialise runs the scripts as the image's entry point does.
func initialise(t *testing.T, file compose, url string) {
	t.Helper()
	n := 0
	for _, volume := range file.Services["postgres"].Volumes {
		source, target, _ := strings.Cut(strings.TrimSuffix(volume, ":ro"), ":")
		if !strings.HasPrefix(target, "/docker-entrypoint-initdb.d/") {
			continue
		}
		n++
		cmd := exec.CommandContext(t.Context(), "psql", "-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc", "-d", url,
			"-f", filepath.Join(deploy, "docker", source))
		cmd.Env = append(os.Environ(), "TIDEMARK_PASSWORD=changeme2")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", source, err, out)
		}
	}
	if n != 4 {
		t.Errorf("%d scripts", n)
	}
}
