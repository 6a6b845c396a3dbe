package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The test binary stands in for every program that a run starts. If it is called by
// one of these names, it plays that program. The environment says how.
const (
	envLog     = "FAKE_DOCKER_LOG" // docker appends its arguments to this file
	envNoReach = "FAKE_NO_REACH"   // wstest reaches no peer: it reports nothing and succeeds
	envVerdict = "FAKE_VERDICT"    // "6.4.1=NON-STRICT": wstest's verdict of one case, behavior and close
	envCrash   = "FAKE_CRASH"      // the name of a program that fails at once
	envMisread = "FAKE_MISREAD"    // wstest announces fewer cases
	envHang    = "FAKE_HANG"       // wstest, as a client, does not end before it is told to
)

var fakes = map[string]func() error{
	"docker":         fakeDocker,
	"wstest":         fakeWstest,
	"server":         fakeServer,
	"client":         fakeClient,
	"install-wstest": fakeInstall,
}

func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	play, ok := fakes[name]
	if !ok {
		os.Exit(m.Run())
	}
	err := play()
	if os.Getenv(envCrash) == name {
		err = fmt.Errorf("%s: crashed", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newRoot returns a repository with fake programs, and a PATH that holds only the
// given ones.
func newRoot(t *testing.T, onPath ...string) string {
	t.Helper()
	root, bin := t.TempDir(), t.TempDir()
	for _, name := range onPath {
		link(t, filepath.Join(bin, name))
	}
	t.Setenv("PATH", bin)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each program takes a second to end under the race detector
	link(t, filepath.Join(root, ".out", "autobahn", "bin", "server"))
	link(t, filepath.Join(root, ".out", "autobahn", "bin", "client"))
	link(t, filepath.Join(root, "autobahn", "install-wstest"))
	return root
}

// link makes name another name of the test binary.
func link(t *testing.T, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
}

// terminated waits until a signal tells the process to end.
func terminated() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}

// fakeServer prints a URL, to which nobody connects.
func fakeServer() error {
	if os.Getenv(envCrash) == "server" {
		return nil
	}
	fmt.Println("listening on ws://127.0.0.1:4321")
	terminated()
	return nil
}

// fakeClient only asks for the reports.
func fakeClient() error {
	url := option("-url")
	resp, err := http.Get("http" + strings.TrimPrefix(url, "ws") + "/updateReports?agent=" + option("-agent"))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// fakeInstall creates a wstest in the place of the installed one.
func fakeInstall() error {
	root := filepath.Dir(filepath.Dir(os.Args[0]))
	place := filepath.Join(root, ".cache", "wstest")
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return os.Symlink(self, filepath.Join(place, "wstest"))
}

// fakeDocker records its arguments, and runs the command in them in the folder that
// they mount.
func fakeDocker() error {
	log, err := os.OpenFile(os.Getenv(envLog), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, strings.Join(os.Args[1:], " "))
	if err := log.Close(); err != nil {
		return err
	}
	if os.Args[1] != "run" {
		return nil
	}
	dir, _, _ := strings.Cut(option("--volume"), ":")
	if err := os.Chdir(dir); err != nil {
		return err
	}
	return fakeWstest()
}

// fakeWstest follows its specification, without any WebSocket.
func fakeWstest() error {
	var s spec
	if err := readJSON(option("--spec"), &s); err != nil {
		return err
	}
	known := len(s.Cases)
	if os.Getenv(envMisread) != "" {
		known--
	}
	if option("--mode") == "fuzzingclient" {
		fmt.Println("Autobahn Fuzzing WebSocket Client (Autobahn Testsuite Version 25.10.1 / Autobahn Version 0.10.9)")
		fmt.Printf("Ok, will run %d test cases against 1 servers\n", known)
		if os.Getenv(envHang) != "" {
			fmt.Println("Running test case ID 1.1.1 for agent parley from peer tcp4:127.0.0.1:1")
			terminated()
			return nil
		}
		return fakeReport(s)
	}
	fmt.Printf("Autobahn WebSocket 25.10.1/0.10.9 Fuzzing Server (Port 1)\nOk, will run %d test cases for any clients connecting\n", known)
	failed := make(chan error, 1)
	go func() {
		failed <- http.ListenAndServe(strings.TrimPrefix(s.URL, "ws://"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/updateReports" {
				if err := fakeReport(s); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}
		}))
	}()
	go func() {
		terminated()
		failed <- nil
	}()
	return <-failed
}

// fakeReport writes the report of a run of all cases of s.
func fakeReport(s spec) error {
	if os.Getenv(envNoReach) != "" {
		s.Cases = nil
	}
	odd, oddVerdict, _ := strings.Cut(os.Getenv(envVerdict), "=")
	reports := make(map[string]caseReport)
	for _, id := range s.Cases {
		fmt.Printf("Running test case ID %s for agent parley from peer tcp4:127.0.0.1:1\n", id)
		c := caseReport{Behavior: string(best(id)), BehaviorClose: string(best(id)), Reportfile: "case_" + id + ".json"}
		if id == odd {
			c.Behavior, c.BehaviorClose, _ = strings.Cut(oddVerdict, "/")
			c.Description, c.Result, c.ResultClose = "Some&nbsp;<b>octets</b>.<br/><br/>In frames.", "Events differ.", "Closed late."
			if err := writeJSON(filepath.Join(s.Outdir, c.Reportfile), c); err != nil {
				return err
			}
		}
		reports[id] = c
	}
	return writeJSON(filepath.Join(s.Outdir, "index.json"), map[string]map[string]caseReport{agent: reports})
}

func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// option returns the argument after name.
func option(name string) string {
	i := slices.Index(os.Args, name)
	if i < 0 || i+1 == len(os.Args) {
		return ""
	}
	return os.Args[i+1]
}
