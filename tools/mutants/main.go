// Command mutants changes the deciding files, one small change at a time, and finds out
// whether a test notices. It is run in the root of the module:
//
//	mutants -judged tools/mutants/judged.txt frame handshake conn=conn
//
// An argument is a package's directory, and after "=" those whose tests judge it, with
// commas between them; by default its own. A mutant that lives shows a missing test, or it is
// equivalent, or about nothing but speed or memory. Those that were judged to be so are listed
// in the file of -judged, each group after a line that begins with "# " and gives the reason.
// The exit status is 1 if another one lives.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
)

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.judged, "judged", "", "`file` of the mutants that may live; none by default")
	flag.StringVar(&o.scores, "scores", "", "`file` that the score of each package is written to")
	flag.IntVar(&o.sample, "sample", 0, "try so many mutants of each package, drawn by -seed; 0 is all")
	flag.Uint64Var(&o.seed, "seed", 1, "of -sample")
	flag.IntVar(&o.jobs, "j", 2, "try so many at once")
	files := flag.String("files", "", "only of files whose path matches this `expression`")
	flag.Parse()
	ok, err := o.run(*files, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

type options struct {
	out            io.Writer
	judged, scores string
	sample         int
	seed           uint64
	jobs           int
}

// run tries the mutants of all targets, and reports whether none lives that was not judged.
func (o *options) run(files string, targets []string) (ok bool, err error) {
	expression, err := regexp.Compile(files)
	if err != nil {
		return false, err
	}
	reasons, err := readJudged(o.judged)
	if err != nil {
		return false, err
	}
	var scores strings.Builder
	ok = true
	for _, arg := range targets {
		dir, tests, _ := strings.Cut(arg, "=")
		dir = path.Clean(dir)
		if tests == "" {
			tests = dir
		}
		t, err := newTarget(dir, strings.Split(tests, ","))
		if err != nil {
			return false, err
		}
		all, err := o.choose(dir, expression)
		if err != nil {
			return false, err
		}
		s, err := o.tryAll(t, all, reasons)
		if err != nil {
			return false, err
		}
		fmt.Fprintln(o.out, s)
		fmt.Fprintln(&scores, s)
		ok = ok && s.unjudged == 0
	}
	if o.scores != "" {
		err = os.WriteFile(o.scores, []byte(scores.String()), 0o644)
	}
	return ok, err
}

// choose returns the mutants of a package that are to be tried.
func (o *options) choose(dir string, files *regexp.Regexp) (all []*mutant, err error) {
	names, err := sources(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !files.MatchString(name) {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found, err := mutants(name, source)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if o.sample > 0 && o.sample < len(all) {
		r := rand.New(rand.NewPCG(o.seed, 0))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:o.sample]
	}
	return all, nil
}

// A score is what has become of a package's mutants.
type score struct {
	dir                      string
	tried                    int // those that build
	killed, judged, unjudged int
}

func (s score) String() string {
	return fmt.Sprintf("%-28s %5d of %5d killed, %4d judged, %d live", s.dir, s.killed, s.tried, s.judged, s.unjudged)
}

// tryAll tries mutants, some at once, and prints those that live and were not judged.
func (o *options) tryAll(t *target, all []*mutant, reasons map[string]string) (s score, err error) {
	s.dir = t.dir
	var mu sync.Mutex
	var workers sync.WaitGroup
	next := make(chan *mutant)
	for range o.jobs {
		workers.Go(func() {
			for m := range next {
				f, e := t.try(m)
				mu.Lock()
				if e != nil {
					err = e
				} else {
					o.count(&s, f, m, reasons)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range all {
		next <- m
	}
	close(next)
	workers.Wait()
	return s, err
}

func (o *options) count(s *score, f fate, m *mutant, reasons map[string]string) {
	if f == unbuildable {
		return
	}
	s.tried++
	_, judged := reasons[m.String()]
	switch {
	case f == killed:
		s.killed++
	case judged:
		s.judged++
	default:
		s.unjudged++
		fmt.Fprintln(o.out, m)
	}
}

// readJudged reads the reasons for mutants that may live.
func readJudged(name string) (map[string]string, error) {
	reasons := map[string]string{}
	if name == "" {
		return reasons, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	reason := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch text, isReason := strings.CutPrefix(line, "# "); {
		case line == "":
		case isReason:
			reason = text
		case reason == "":
			return nil, fmt.Errorf("%s: %q has no reason", name, line)
		default:
			reasons[line] = reason
		}
	}
	return reasons, nil
}
