package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseArgs(t *testing.T) {
	both := []role{roleServer, roleClient}
	tests := []struct {
		args   string
		roles  []role
		n      int
		write  bool
		engine string
	}{
		{"", both, 517, false, ""},
		{"both", both, 517, false, ""},
		{"server", []role{roleServer}, 517, false, ""},
		{"client 6.4", []role{roleClient}, 4, false, ""},
		{"-write both", both, 517, true, ""},
		{"both --write", both, 517, true, ""},
		{"server -engine path 6.4.1 -write", []role{roleServer}, 1, true, "path"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got, err := parseArgs(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.roles, tt.roles) || len(got.cases) != tt.n || got.write != tt.write || got.engine != tt.engine {
				t.Errorf("got %v, %d cases, write %v, engine %q; want %v, %d, %v, %q", got.roles, len(got.cases), got.write, got.engine,
					tt.roles, tt.n, tt.write, tt.engine)
			}
		})
	}
	for _, args := range []string{"neither", "server 8", "both 1 2"} {
		if _, err := parseArgs(strings.Fields(args)); err == nil || err == flag.ErrHelp {
			t.Errorf("parseArgs(%q): error %v, want another", args, err)
		}
	}
}

// expectBest stores the best verdicts as the expected ones, as a run does.
func expectBest(t *testing.T, root string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), root, &out, []string{"-write"}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name  string
		args  string
		env   [2]string
		error string   // part of the error; "" if there is none
		out   []string // parts of the output
	}{
		{
			name: "all is as expected", args: "both",
			out: []string{
				"server: case 517 of 517 (13.7.18)",
				"server: 514 OK, 3 INFORMATIONAL, 0 others; 517 cases in ",
				"(wstest 25.10.1, path)",
				"server: report ",
				"client: 514 OK, 3 INFORMATIONAL, 0 others; 517 cases in ",
			},
		},
		{name: "a selection", args: "client 7.1", out: []string{"client: 5 OK, 1 INFORMATIONAL, 0 others; 6 cases in "}},
		{
			name: "another behavior", args: "server", env: [2]string{envVerdict, "6.4.1=NON-STRICT/OK"},
			error: "server: verdicts differ",
			out: []string{
				"513 OK, 3 INFORMATIONAL, 1 others",
				"server 6.4.1: expected OK, got NON-STRICT/OK\n    Some octets . In frames.\n    Events differ. Closed late.\n    ",
				"case_6.4.1.html\n",
			},
		},
		{
			name: "another behaviorClose", args: "client 2.10", env: [2]string{envVerdict, "2.10=OK/UNCLEAN"},
			error: "client: verdicts differ", out: []string{"client 2.10: expected OK, got OK/UNCLEAN\n"},
		},
		{
			name: "nobody was reached", args: "server 6.4", env: [2]string{envNoReach, "1"},
			error: "server: 4 cases were planned, 0 were run", out: []string{"server 6.4.4: expected OK, got none"},
		},
		{
			name: "client asks for nothing", args: "client 6.4", env: [2]string{envNoReach, "1"},
			error: "client: 4 cases were planned, 0 were run",
		},
		{
			name: "wstest knows other cases", args: "server 6.4", env: [2]string{envMisread, "1"},
			error: "server: 4 cases are planned, wstest knows 3 of them",
		},
		{
			name: "wstest, a server, knows other cases", args: "client 6.4", env: [2]string{envMisread, "1"},
			error: "client: 4 cases are planned, wstest knows 3 of them",
		},
		{name: "wstest fails", args: "server 6.4", env: [2]string{envCrash, "wstest"}, error: "server: wstest: exit status 1"},
		{name: "our server fails", args: "server 6.4", env: [2]string{envCrash, "server"}, error: "server: our server: it does not say"},
		{name: "our client fails", args: "client 6.4", env: [2]string{envCrash, "client"}, error: "client: our client: exit status 1"},
		{
			name: "a worse verdict is not written", args: "-write server", env: [2]string{envVerdict, "6.4.1=FAILED/OK"},
			error: "not written, 1 of 517 cases are not at their best: 6.4.1 FAILED/OK",
		},
		{name: "a part is not written", args: "-write server 6.4", error: "server: not written, 513 of 517 cases"},
	}
	root := newRoot(t, "wstest")
	expectBest(t, root)
	before := readFile(t, filepath.Join(root, "autobahn", "expected.json"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			var out bytes.Buffer
			err := run(t.Context(), root, &out, strings.Fields(tt.args))
			if tt.error == "" && err != nil || tt.error != "" && (err == nil || !strings.Contains(err.Error(), tt.error)) {
				t.Errorf("error %v, want %q", err, tt.error)
			}
			for _, want := range tt.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, &out)
				}
			}
		})
	}
	if after := readFile(t, filepath.Join(root, "autobahn", "expected.json")); after != before {
		t.Error("a run has changed the expected verdicts")
	}
}

func TestRunWithoutExpectations(t *testing.T) {
	root := newRoot(t, "wstest")
	err := run(t.Context(), root, &bytes.Buffer{}, []string{"server", "6.4.1"})
	if err == nil || !strings.Contains(err.Error(), "nothing is expected yet") {
		t.Errorf("error %v for a run with nothing to compare with", err)
	}
}

// TestInterrupt ends a run whose wstest would go on for ever.
func TestInterrupt(t *testing.T) {
	root := newRoot(t, "wstest")
	t.Setenv(envHang, "1")
	ctx, cancel := context.WithCancel(t.Context())
	err := run(ctx, root, atFirst(cancel), []string{"server", "1.1.1"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// atFirst returns a writer that calls f when it is written to.
func atFirst(f func()) io.Writer { return writerFunc(func([]byte) { f() }) }

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestExpectedFiles(t *testing.T) {
	root := newRoot(t, "wstest")
	expectBest(t, root)
	var b book
	b.dir = filepath.Join(root, "autobahn")
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []role{roleServer, roleClient} {
		if n := len(b.expected[r]); n != 517 {
			t.Errorf("%s: %d expected verdicts, want 517", r, n)
		}
		m := b.meta[r]
		if m.Suite != "25.10.1" || m.Engine != "path" || m.Cases != 517 || len(m.Date) != len("2006-01-02") || m.Duration == "" {
			t.Errorf("%s: the run is described as %+v", r, m)
		}
	}
	// People read diffs of the file.
	text := readFile(t, filepath.Join(b.dir, "expected.json"))
	if two, ten := strings.Index(text, `"2.1": "OK"`), strings.Index(text, `"10.1.1": "OK"`); two < 0 || ten < two {
		t.Errorf("2.1 stands at %d, 10.1.1 at %d: not the order of the suite", two, ten)
	}
}

// TestDocker checks the arguments of docker for both roles.
func TestDocker(t *testing.T) {
	root := newRoot(t, "docker", "wstest")
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv(envLog, log)
	var out bytes.Buffer
	if err := run(t.Context(), root, &out, []string{"both", "6.4"}); err == nil || !strings.Contains(out.String(), "docker)") {
		t.Fatalf("error %v, want one for the lack of expectations of a run with docker:\n%s", err, &out)
	}
	network := " --network host"
	if runtime.GOOS != "linux" {
		network = ""
	}
	start := func(role, mode string) string {
		return "run --rm --init --name parley-autobahn-" + strconv.Itoa(os.Getpid()) + "-" + role +
			" --volume " + filepath.Join(root, ".out", "autobahn", role) + ":/autobahn --workdir /autobahn" +
			" --env PYTHONUNBUFFERED=1 --env HOME=/tmp" +
			" --user " + strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid()) + network +
			" crossbario/autobahn-testsuite:25.10.1 wstest --mode " + mode + " --spec spec.json --webport 0"
	}
	remove := "rm --force parley-autobahn-" + strconv.Itoa(os.Getpid()) + "-"
	want := []string{ // sorted, as both roles run at once
		remove + "client",
		remove + "server",
		start("client", "fuzzingserver"),
		start("server", "fuzzingclient"),
		"version --format {{.Server.Version}}",
	}
	got := strings.Split(strings.TrimSpace(readFile(t, log)), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docker's arguments (-want +got):\n%s", diff)
	}
}

// TestDockerVirtualMachine tests hosts whose containers run in a virtual machine: the
// host has a special name there, and ports are published.
func TestDockerVirtualMachine(t *testing.T) {
	d := newDocker("darwin")
	if d.host() != "host.docker.internal" {
		t.Errorf("host %q", d.host())
	}
	if args := d.command(t.Context(), "fuzzingclient", "/dir", 0).Args; slices.Contains(args, "--network") || slices.Contains(args, "--publish") {
		t.Errorf("wstest as a client: %q", args)
	}
	args := d.command(t.Context(), "fuzzingserver", "/dir", 9002).Args
	if i := slices.Index(args, "--publish"); i < 0 || args[i+1] != "127.0.0.1:9002:9002" {
		t.Errorf("wstest as a server: %q", args)
	}
	if d := newDocker("linux"); d.host() != "127.0.0.1" {
		t.Errorf("host %q on Linux", d.host())
	}
}

func TestFindEngine(t *testing.T) {
	tests := []struct {
		name   string
		onPath []string
		crash  string
		engine string // the engine that is asked for
		want   string // the engine that is found, or part of the error
	}{
		{"docker first", []string{"docker", "wstest"}, "", "", "docker"},
		{"no engine answers docker", []string{"docker", "wstest"}, "docker", "", "path"},
		{"nothing there", nil, "", "", "installed"},
		{"installed on demand", []string{"docker", "wstest"}, "", "installed", "installed"},
		{"path on demand", []string{"docker", "wstest"}, "", "path", "path"},
		{"docker on demand", []string{"wstest"}, "", "docker", "no Docker engine answers"},
		{"no such engine", nil, "", "podman", `no engine "podman"`},
		{"install fails", nil, "install-wstest", "", "autobahn/install-wstest: exit status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRoot(t, tt.onPath...)
			t.Setenv(envLog, filepath.Join(t.TempDir(), "log"))
			t.Setenv(envCrash, tt.crash)
			e, err := findEngine(t.Context(), root, tt.engine, &bytes.Buffer{})
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if e.String() != tt.want {
				t.Errorf("engine %s, want %s", e, tt.want)
			}
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
