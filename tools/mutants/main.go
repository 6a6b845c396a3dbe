// Command mutants changes the deciding files, one small change at a time, and finds out
// whether a test notices. It is run in the root of the module:
//
//	mutants -judged tools/mutants/judged.txt frame handshake conn/internal/stream=conn/internal/stream,conn
//
// An argument is a package's directory, and after "=" those whose tests judge it, with
// commas between them; by default its own. A mutant that lives shows a missing test, or it is
// equivalent, or about nothing but speed or memory. Those that were judged to be so are listed
// in the file of -judged, each group after a line that begins with "# " and gives the reason.
// A line there that names no mutant is an error. The exit status is 1 if another one lives.
//
// A test is given to a mutant only if it reaches what is changed, and quick tests go first; see
// suite. Mutants share programs as far as they don't overlap; see schema. So trying one takes
// about as long as the first test that fails. The tests run in their long form, and what
// fails must fail twice, so that a busy machine kills nothing. One that was judged takes as
// long as all tests that reach it, and is tried only with -again.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.judged, "judged", "", "`file` of the mutants that may live; none by default")
	flag.StringVar(&o.scores, "scores", "", "`file` in which the score of each package is brought up to date")
	flag.IntVar(&o.sample, "sample", 0, "try so many mutants of each package, drawn by -seed; 0 is all")
	flag.IntVar(&o.skip, "skip", 0, "pass over so many, which were tried before: their score is added")
	flag.DurationVar(&o.time, "for", 1<<62, "begin no more mutants of a package after this `time`")
	flag.Uint64Var(&o.seed, "seed", 1, "of the order in which mutants are tried")
	flag.BoolVar(&o.again, "again", false, "try also those that were judged")
	flag.IntVar(&o.jobs, "j", 2, "try so many at once")
	flag.BoolVar(&o.verbose, "v", false, "print what kills each mutant")
	flag.StringVar(&o.only, "only", "", "only mutants that this `expression` matches, as they are printed")
	flag.StringVar(&o.of, "of", "", "only mutants that this `file` lists, as they are printed")
	flag.Parse()
	ok, err := o.run(flag.Args())
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
	only, of       string
	sample, skip   int
	time           time.Duration
	seed           uint64
	jobs           int
	again, verbose bool
}

// run tries the mutants of all targets, and reports whether none lives that was not judged.
func (o *options) run(targets []string) (ok bool, err error) {
	wanted, err := o.wanted()
	if err != nil {
		return false, err
	}
	reasons, err := readJudged(o.judged)
	if err != nil {
		return false, err
	}
	ok = true
	for _, arg := range targets {
		dir, tests, _ := strings.Cut(arg, "=")
		dir = path.Clean(dir)
		if tests == "" {
			tests = dir
		}
		all, err := o.choose(dir, wanted)
		if err != nil {
			return false, err
		}
		if gone := strangers(reasons, dir, all); o.only == "" && o.of == "" && len(gone) > 0 {
			return false, fmt.Errorf("%s names no mutants: %s", o.judged, strings.Join(gone, "\n"))
		}
		t, err := newTarget(dir, strings.Split(tests, ","))
		if err != nil {
			return false, err
		}
		t.known = func(m *mutant) bool {
			_, judged := reasons[m.String()]
			return judged && !o.again
		}
		s, err := o.tryAll(t, all, reasons)
		if err != nil {
			return false, err
		}
		fmt.Fprintln(o.out, s)
		ok = ok && s.unjudged == 0
		if o.scores != "" {
			if err := s.update(o.scores, o.skip > 0); err != nil {
				return false, err
			}
		}
	}
	return ok, nil
}

// wanted returns what tells whether a mutant, as it is printed, is one of -only and of -of.
func (o *options) wanted() (func(mutant string) bool, error) {
	expression, err := regexp.Compile(o.only)
	if err != nil || o.of == "" {
		return expression.MatchString, err
	}
	b, err := os.ReadFile(o.of)
	listed := strings.Split(string(b), "\n")
	return func(m string) bool { return slices.Contains(listed, m) && expression.MatchString(m) }, err
}

// strangers returns what was judged in a package and is no mutant of it: its code has changed since.
func strangers(reasons map[string]string, dir string, all []*mutant) (gone []string) {
	known := map[string]bool{}
	for _, m := range all {
		known[m.String()] = true
	}
	for line := range reasons {
		file, _, _ := strings.Cut(line, " ")
		if path.Dir(file) == dir && !known[line] {
			gone = append(gone, line)
		}
	}
	slices.Sort(gone)
	return gone
}

// choose returns the mutants of a package that may be tried, in an order drawn by the seed and
// by what they are: code that changes draws only its own mutants anew.
func (o *options) choose(dir string, wanted func(mutant string) bool) (all []*mutant, err error) {
	names, err := sources(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found, err := mutants(name, source)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if wanted(m.String()) {
				all = append(all, m)
			}
		}
	}
	drawn := make(map[*mutant]string, len(all))
	for _, m := range all {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", o.seed, m))
		drawn[m] = string(sum[:])
	}
	slices.SortFunc(all, func(a, b *mutant) int { return strings.Compare(drawn[a], drawn[b]) })
	return all, nil
}

// sources returns the files of a package that are built here, but for tests and cgo.
func sources(dir string) ([]string, error) {
	out, err := exec.Command("go", "list", "-f", `{{join .GoFiles "\n"}}`, "./"+dir).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", dir, err)
	}
	var files []string
	for name := range strings.FieldsSeq(string(out)) {
		files = append(files, filepath.Join(dir, name))
	}
	return files, nil
}

// A score is what has become of a package's mutants.
type score struct {
	dir                      string
	all                      int // that there are
	drawn                    int // of them: what was tried
	unbuildable              int // of those drawn: no programs
	killed, judged, unjudged int // what became of the others
}

const scoreFormat = "%-28s %5d of %5d tried: %5d killed, %4d judged, %3d live, %4d no program"

// plus adds what line says of other mutants of the package.
func (s score) plus(line string) (score, error) {
	var t score
	_, err := fmt.Sscanf(line, strings.Replace(scoreFormat, "%-28s", "%s", 1),
		&t.dir, &t.drawn, &t.all, &t.killed, &t.judged, &t.unjudged, &t.unbuildable)
	s.drawn += t.drawn
	s.killed += t.killed
	s.judged += t.judged
	s.unjudged += t.unjudged
	s.unbuildable += t.unbuildable
	return s, err
}

func (s score) String() string {
	return fmt.Sprintf(scoreFormat, s.dir, s.drawn, s.all, s.killed, s.judged, s.unjudged, s.unbuildable)
}

// update puts the score into a file in place of that package's last, or adds it to that.
func (s score) update(name string, add bool) error {
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		switch {
		case !strings.HasPrefix(line, s.dir+" "):
			lines = append(lines, line)
		case add:
			if s, err = s.plus(line); err != nil {
				return fmt.Errorf("%s: %q: %w", name, line, err)
			}
		}
	}
	lines = append(lines, s.String()+"\n")
	slices.Sort(lines)
	return os.WriteFile(name, []byte(strings.Join(lines, "")), 0o644)
}

// together is how many mutants one program has at most.
const together = 400

// tryAll tries mutants, some at once, and prints those that live and were not judged.
func (o *options) tryAll(t *target, all []*mutant, reasons map[string]string) (s score, err error) {
	s.dir, s.all = t.dir, len(all)
	all = all[min(o.skip, len(all)):]
	if o.sample > 0 {
		all = all[:min(o.sample, len(all))]
	}
	end := time.Now().Add(o.time)
	var mu sync.Mutex
	report := func(out outcome) {
		mu.Lock()
		defer mu.Unlock()
		if out.err != nil {
			err = out.err
			return
		}
		o.count(&s, out, reasons)
	}
	c := newCrew(o.jobs)
	for len(all) > 0 && time.Now().Before(end) {
		n := min(len(all), together)
		many, wait, alone := t.program.schema(all[:n])
		all = append(wait, all[n:]...)
		if many != nil {
			more, e := t.tryTogether(many, c, end, report)
			if e != nil {
				report(outcome{err: e})
				break
			}
			alone = append(alone, more...)
		}
		for _, m := range alone {
			c.do(end, func() { report(t.try(m)) })
		}
	}
	c.Wait()
	return s, err
}

func (o *options) count(s *score, out outcome, reasons map[string]string) {
	s.drawn++
	_, judged := reasons[out.m.String()]
	switch {
	case out.fate == unbuildable:
		s.unbuildable++
	case out.fate == killed:
		s.killed++
		if o.verbose {
			fmt.Fprintf(o.out, "killed by %.60s: %v\n", out.by, out.m)
		}
	case judged:
		s.judged++
	default:
		s.unjudged++
		fmt.Fprintln(o.out, out.m)
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
