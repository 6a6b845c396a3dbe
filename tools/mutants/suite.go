package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A suite is the tests of one package, and which parts of the changed package each of them
// reaches. A mutant in a part that a test does not reach can't make it fail.
type suite struct {
	dir    string
	tests  []*test
	blocks map[string][]*block // by file

	mu    sync.Mutex
	kills map[*test]int
}

type test struct {
	name  string
	took  time.Duration // without a change
	blind bool          // it leaves no profile: it may reach anything
}

// A block is a range of a file's source whose statements run one after the other.
type block struct {
	from, to position
	tests    []*test // that reach it
}

type position struct{ line, column int }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.column, q.column))
}

// newSuite runs the tests of a package: together, and each alone for its profile of changed.
func newSuite(changed, dir string) (*suite, error) {
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	plain, covered := filepath.Join(folder, "plain"), filepath.Join(folder, "covered")
	if err := build(plain, dir); err != nil {
		return nil, err
	}
	if err := build(covered, dir, "-coverpkg", "./"+changed); err != nil {
		return nil, err
	}
	if _, err := run(plain, dir, time.Hour, 0); err != nil {
		if out, err := run(plain, dir, time.Hour, 0); err != nil { // twice, as for a mutant
			return nil, fmt.Errorf("%s: the tests fail without a change: %w: %.1000s", dir, err, out)
		}
	}
	out, err := exec.Command(plain, "-test.list", ".").Output()
	if err != nil {
		return nil, err
	}
	s := &suite{dir: dir, blocks: map[string][]*block{}, kills: map[*test]int{}}
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.HasPrefix(name, "Benchmark") {
			s.tests = append(s.tests, &test{name: name})
		}
	}
	return s, s.profile(covered, folder)
}

// profile runs each test alone.
func (s *suite) profile(binary, folder string) error {
	var workers sync.WaitGroup
	free := make(chan struct{}, 4*runtime.NumCPU()) // many of them wait for most of their time
	for i, t := range s.tests {
		free <- struct{}{}
		workers.Go(func() {
			start := time.Now()
			run(binary, s.dir, time.Hour, 0, "-test.run", "^"+t.name+"$", "-test.coverprofile", profileName(folder, i))
			t.took = time.Since(start)
			<-free
		})
	}
	workers.Wait()
	known := map[string]*block{} // as the profile has it
	for i, t := range s.tests {
		if err := s.read(profileName(folder, i), t, known); err != nil {
			t.blind = true
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("%s: no test leaves a profile", s.dir)
	}
	return nil
}

func profileName(folder string, test int) string {
	return filepath.Join(folder, strconv.Itoa(test))
}

// read adds what one test reaches.
func (s *suite) read(name string, t *test, known map[string]*block) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the mode
	for lines.Scan() {
		// file:line.column,line.column statements count
		file, rest, _ := strings.Cut(lines.Text(), ":")
		b := &block{}
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.from.line, &b.from.column, &b.to.line, &b.to.column, &statements, &count); err != nil {
			return err
		}
		at, _, _ := strings.Cut(lines.Text(), " ")
		if old := known[at]; old != nil {
			b = old
		} else {
			known[at] = b
			file = filepath.Base(file) // of one package
			s.blocks[file] = append(s.blocks[file], b)
		}
		if count > 0 && (len(b.tests) == 0 || b.tests[len(b.tests)-1] != t) {
			b.tests = append(b.tests, t)
		}
	}
	return lines.Err()
}

// reaching returns the tests that may notice a mutant, the most promising first.
func (s *suite) reaching(m *mutant) []*test {
	found := map[*test]bool{}
	reached := false // by whatever test
	for _, b := range s.blocks[filepath.Base(m.file)] {
		if b.from.compare(m.at) <= 0 && m.at.compare(b.to) <= 0 {
			reached = true
			for _, t := range b.tests {
				found[t] = true
			}
		}
	}
	if !reached { // between the blocks, such as the values of a case
		for _, b := range s.blocks[filepath.Base(m.file)] {
			if m.from.compare(b.from) <= 0 && b.to.compare(m.to) <= 0 {
				reached = true
				for _, t := range b.tests {
					found[t] = true
				}
			}
		}
	}
	var tests []*test
	for _, t := range s.tests {
		if !reached || found[t] || t.blind {
			tests = append(tests, t)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(tests, func(a, b *test) int {
		return cmp.Compare(a.took/time.Duration(1+s.kills[a]), b.took/time.Duration(1+s.kills[b]))
	})
	return tests
}

func (s *suite) credit(t *test) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kills[t]++
}

// batches divides tests into what takes half a second, what takes some seconds, and what takes half
// a minute each time.
func batches(tests []*test) [][]*test {
	var all [][]*test
	for most := 500 * time.Millisecond; len(tests) > 0; most = min(8*most, 32*time.Second) {
		n, took := 0, time.Duration(0)
		for n < len(tests) && (n == 0 || took+tests[n].took <= most) {
			took += tests[n].took
			n++
		}
		all, tests = append(all, tests[:n]), tests[n:]
	}
	return all
}
