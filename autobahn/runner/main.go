// Command runner runs the Autobahn test suite against autobahn/server and
// autobahn/client, shows its progress, and compares its verdicts with
// autobahn/expected.json. The script autobahn/run builds these programs and starts
// runner at the root of the repository. autobahn/README.md says what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

const usage = `usage: autobahn/run [-write] [-goroutines] [-engine docker|path|installed] [server|client|both] [cases]

The role says what of ours is tested, both by default. Cases are separated by
commas: 6.4.1, all of 6.4 or of 6, or a pattern such as 12.*.1; "ci" is what
continuous integration runs. All by default.

`

// errDiffers ends a run whose verdicts are not the expected ones. The differences have
// been printed.
var errDiffers = errors.New("verdicts differ from the expected ones")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, ".", os.Stdout, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "autobahn/run:", err)
		os.Exit(1)
	}
}

// A request holds the parsed command line.
type request struct {
	roles      []role
	cases      []string // in the order of the suite
	write      bool     // store the verdicts as the expected ones
	goroutines bool     // our server has no loop
	engine     string   // name of the engine, or "" for the first that is available
}

// run runs the suite as args say, in the repository at root.
func run(ctx context.Context, root string, out io.Writer, args []string) error {
	req, err := parseArgs(args)
	if err != nil {
		return err
	}
	if root, err = filepath.Abs(root); err != nil { // Docker mounts only absolute paths
		return err
	}
	e, err := findEngine(ctx, root, req.engine, out)
	if err != nil {
		return err
	}
	b := book{dir: filepath.Join(root, "autobahn")}
	if err := b.load(); err != nil {
		return err
	}
	if len(req.roles) > 1 {
		out = &lines{w: out}
	}
	trials := make([]trial, len(req.roles))
	var running sync.WaitGroup // at once, since wstest uses one processor
	for i, r := range req.roles {
		t := &trials[i]
		*t = trial{role: r, cases: req.cases, goroutines: req.goroutines, engine: e, root: root, out: out}
		running.Go(func() { t.outcome, t.err = t.run(ctx) })
	}
	running.Wait()
	var failed []error
	for i := range trials {
		if err := judge(&trials[i], &b, req.write); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", trials[i].role, err))
		}
	}
	return errors.Join(failed...)
}

// lines lets several trials write their lines, each in one call.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// judge compares the outcome of a trial with b. If write is set, judge stores the outcome in b
// instead, provided that b accepts it.
func judge(t *trial, b *book, write bool) error {
	got, err := t.outcome, t.err
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: %s\n%s: report %s\n", t.role, got.summary(), t.role, t.path("report", "index.html"))
	if write {
		return b.write(t.role, got)
	}
	if len(b.expected[t.role]) == 0 {
		return errors.New("nothing is expected yet: a run of all cases with -write says what is")
	}
	differences := compare(b.expected[t.role], got, t.cases)
	for _, d := range differences {
		fmt.Fprintf(t.out, "%s %s\n", t.role, d)
	}
	switch {
	case len(got.results) != len(t.cases):
		return fmt.Errorf("%d cases were planned, %d were run", len(t.cases), len(got.results))
	case len(differences) > 0:
		return errDiffers
	}
	return nil
}

// parseArgs parses args. Options may come before, between and after the role and the
// cases.
func parseArgs(args []string) (req request, err error) {
	flags := flag.NewFlagSet("autobahn/run", flag.ContinueOnError)
	flags.BoolVar(&req.write, "write", false, "write the verdicts to autobahn/expected.json, where they are complete and the best there are")
	flags.BoolVar(&req.goroutines, "goroutines", false, "our server serves each connection on a goroutine, and none on a loop")
	flags.StringVar(&req.engine, "engine", "", "`name` of the engine: docker, path (a wstest there) or installed (by autobahn/install-wstest)")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	var words []string
	for {
		if err := flags.Parse(args); err != nil {
			return request{}, err
		}
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if len(words) > 2 {
		return request{}, fmt.Errorf("too many arguments: %s", strings.Join(words, " "))
	}
	words = append(words, []string{"both", "*"}[len(words):]...)
	if req.roles, err = parseRole(words[0]); err != nil {
		return request{}, err
	}
	req.cases, err = selectCases(words[1])
	return req, err
}

// A role says which of our endpoints the suite tests.
type role string

const (
	roleServer role = "server"
	roleClient role = "client"
)

func parseRole(name string) ([]role, error) {
	switch name {
	case "server", "client":
		return []role{role(name)}, nil
	case "both":
		return []role{roleServer, roleClient}, nil
	}
	return nil, fmt.Errorf("no role %q: server, client or both", name)
}
