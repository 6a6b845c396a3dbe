package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// specFile and reportDir are the names of the suite's specification and of its report
// in the folder of a trial.
const (
	specFile  = "spec.json"
	reportDir = "report"
)

// readyTime is how long an endpoint may take to start.
const readyTime = 30 * time.Second

// A trial is one run of the suite against one role.
type trial struct {
	role       role
	cases      []string
	goroutines bool // our server has no loop
	engine     engine
	root       string    // absolute path of the repository
	out        io.Writer // gets the progress, a line in each call

	outcome *outcome // of run, as the next one
	err     error
}

// path returns the path of a file in the folder of the trial.
func (t *trial) path(name ...string) string {
	return filepath.Join(append([]string{t.root, ".out", "autobahn", string(t.role)}, name...)...)
}

// program returns the command that autobahn/run has built from autobahn/name.
func (t *trial) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	return command(ctx, filepath.Join(t.root, ".out", "autobahn", "bin", name), args...)
}

// run runs the cases and reads the report.
func (t *trial) run(ctx context.Context) (*outcome, error) {
	if err := os.RemoveAll(t.path()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(t.path(reportDir), 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(t.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	defer t.engine.cleanUp(t.path())
	o := &outcome{engine: t.engine.String(), started: time.Now()}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(t, log, cancel)
	defer w.stop()
	if t.role == roleServer {
		err = t.testServer(ctx, w)
	} else {
		err = t.testClient(ctx, w)
	}
	if cause := context.Cause(ctx); cause != nil { // also if wstest has ended well before it was told to
		err = cause
	}
	if err != nil {
		return nil, fmt.Errorf("%w (see %s)", err, t.path("log"))
	}
	o.suite, o.duration = w.version(), time.Since(o.started)
	o.results, err = readReport(t.path(reportDir))
	return o, err
}

// testServer starts our server and lets wstest, as a client, run the cases. wstest
// ends by itself. It succeeds even if it has reached no server, so the caller must
// count the cases of the report.
func (t *trial) testServer(ctx context.Context, w *watch) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := []string{"-addr", "127.0.0.1:0"}
	if t.goroutines {
		args = append(args, "-goroutines")
	}
	server := t.program(ctx, "server", args...)
	port, err := startServer(server, w.log)
	if err != nil {
		return fmt.Errorf("our server: %w", err)
	}
	defer func() {
		cancel()
		_ = server.Wait() // the server was told to end
	}()
	url := fmt.Sprintf("ws://%s:%d", t.engine.host(), port)
	err = t.writeSpec(spec{Servers: []specServer{{Agent: agent, URL: url}}})
	if err != nil {
		return err
	}
	wstest := t.engine.command(ctx, "fuzzingclient", t.path(), 0)
	wstest.Stdout, wstest.Stderr = w, w
	if err := wstest.Run(); err != nil {
		return fmt.Errorf("wstest: %w", err)
	}
	return nil
}

// testClient starts wstest as a server and lets our client run its cases.
func (t *trial) testClient(ctx context.Context, w *watch) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	// The suite refuses a Host field whose port is not that of its URL.
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if err := t.writeSpec(spec{URL: "ws://" + address}); err != nil {
		return err
	}
	wstestCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	wstest := t.engine.command(wstestCtx, "fuzzingserver", t.path(), port)
	wstest.Stdout, wstest.Stderr = w, w
	if err := wstest.Start(); err != nil {
		return fmt.Errorf("wstest: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- wstest.Wait()
		w.ended()
	}()
	defer func() {
		cancel()
		<-ended
	}()
	if err := w.ready(ctx); err != nil {
		return err
	}
	if err := answers(ctx, "http://"+address); err != nil {
		return fmt.Errorf("wstest: %w", err)
	}
	client := t.program(ctx, "client", "-url", "ws://"+address, "-agent", agent)
	client.Stdout, client.Stderr = w.log, w.log
	if err := client.Run(); err != nil {
		return fmt.Errorf("our client: %w", err)
	}
	return nil
}

// A spec is a specification for wstest. Either Servers or URL is set: wstest connects
// to Servers, or listens on URL.
type spec struct {
	Servers []specServer `json:"servers,omitempty"`
	URL     string       `json:"url,omitempty"`
	Outdir  string       `json:"outdir"`
	Cases   []string     `json:"cases"`
}

type specServer struct {
	Agent string `json:"agent"`
	URL   string `json:"url"`
}

// writeSpec completes s and writes it to the folder of the trial.
func (t *trial) writeSpec(s spec) error {
	s.Outdir, s.Cases = reportDir, t.cases
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(t.path(specFile), data, 0o644)
}

// startServer starts our server and returns its port, which the server prints in its
// only line.
func startServer(server *exec.Cmd, log io.Writer) (port int, err error) {
	server.Stderr = log
	stdout, err := server.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := server.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		line = strings.TrimSpace(line)
		port, err = strconv.Atoi(line[strings.LastIndexByte(line, ':')+1:])
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("it does not say where it listens: %w", err), server.Cancel(), server.Wait())
	}
	return port, nil
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// answers waits until url answers a GET. A connection is not enough, because Docker
// accepts connections on a published port long before wstest listens.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
