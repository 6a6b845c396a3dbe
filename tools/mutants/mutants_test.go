package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var source = []byte(`package p

const limit = 10

func g() {}

func f(a, b int, err error) (bool, error) {
	if a < b && !(b == limit) {
		a += b
		g()
	}
	for a > 0 {
		a--
	}
	err, a = nil, b
	err = nil
	switch a {
	case 1, 2:
		return true, err
	}
	return false, nil
}
`)

// Each kind of change is found, and each gives a file that parses.
func TestMutants(t *testing.T) {
	found, err := mutants("p/f.go", source)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range found {
		if !parses(m.apply()) {
			t.Errorf("%v: no Go", m)
		}
		got = append(got, strings.Split(m.String(), " | ")[0])
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"declarations: number, 10 -> (10 + 1)", "f: operator, < -> <=", "f: operator, && -> ||", "f: one side, a < b && !(b == limit) -> a < b",
		"f: sign, ! -> nothing", "f: condition, a > 0 -> (a > 0) && false", "f: statement, a += b -> _ = b", "f: statement, g() -> nothing",
		"f: statement, a-- -> nothing", "f: case, 1, 2 -> 2", "f: truth, true -> false", "f: error, err -> nil",
		"f: statement, err, a = nil, b -> _ = b", "f: statement, err = nil -> nothing",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
}

// Programs with many mutants have each of them once. Only a change of a declaration or of a
// case's values, and one that is no program, is left over.
func TestSchema(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module m\n\ngo 1.24\n")
	write(t, "p/f.go", string(source))
	p, err := load("p")
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutants("p/f.go", source)
	if err != nil {
		t.Fatal(err)
	}
	tried := map[*mutant]int{}
	for rounds, wait := 0, all; len(wait) > 0; rounds++ {
		if rounds > len(all) {
			t.Fatal("no end")
		}
		var s *schema
		var alone []*mutant
		s, wait, alone = p.schema(wait)
		for _, m := range alone {
			tried[m]++
			if p.isProgram(m) && m.function != "declarations" && m.kind != "case" {
				t.Errorf("left over: %v", m)
			}
		}
		if s == nil {
			continue
		}
		for _, m := range s.mutants {
			tried[m]++
		}
	}
	for _, m := range all {
		if tried[m] != 1 {
			t.Errorf("tried %d times: %v", tried[m], m)
		}
	}
}

// The order does not change where the code does not.
func TestOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module m\n\ngo 1.24\n")
	order := func(seed uint64, source []byte) (names []string) {
		t.Helper()
		write(t, "p/f.go", string(source))
		all, err := (&options{seed: seed}).choose("p", func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			names = append(names, m.String())
		}
		return names
	}
	before := order(1, source)
	more := order(1, append(slices.Clone(source), "\nfunc h(a int) int { return a + 10 }\n"...))
	if len(more) <= len(before) {
		t.Fatalf("%d mutants, of less code %d", len(more), len(before))
	}
	if other := order(2, source); slices.Equal(other, before) {
		t.Error("the seed changes nothing")
	}
	more = slices.DeleteFunc(more, func(name string) bool { return !slices.Contains(before, name) })
	if !slices.Equal(more, before) {
		t.Errorf("the order has changed:\n%s\nbefore:\n%s", strings.Join(more, "\n"), strings.Join(before, "\n"))
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A mutant that the tests notice is killed, one that they don't is printed unless it was
// judged, and one that does not build does not count.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module m\n\ngo 1.24\n")
	write(t, "p/p.go", "package p\n\nfunc Max(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}\n")
	write(t, "p/p_test.go", "package p\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {\n\tif Max(1, 2) != 2 || Max(2, 1) != 2 {\n\t\tt.Error()\n\t}\n}\n")
	const same = "p/p.go Max: operator, > -> >= | if a > b {"
	write(t, "judged.txt", "# equal numbers are the same\n"+same+"\n")
	for _, c := range []struct {
		judged, want string
		again        bool
	}{{"", same + "\n", false}, {"judged.txt", "", false}, {"judged.txt", "", true}} {
		judged, want := c.judged, c.want
		var out bytes.Buffer
		o := options{out: &out, judged: judged, scores: "scores.txt", jobs: 2, time: time.Hour, again: c.again}
		ok, err := o.run([]string{"p"})
		if err != nil || ok != (judged != "") {
			t.Errorf("judged %q: %v, %v\n%s", judged, ok, err, &out)
		}
		lived, score, _ := strings.Cut(out.String(), "p   ")
		if lived != want || !strings.Contains(score, "4 of     4 tried:     3 killed") {
			t.Errorf("judged %q: %s", judged, &out)
		}
	}
	if b, err := os.ReadFile("scores.txt"); err != nil || !strings.Contains(string(b), "1 judged,   0 live") && !strings.Contains(string(b), "1 live") {
		t.Errorf("scores: %q, %v", b, err)
	}
	// What one run passes over is in the score of the last.
	if err := os.Remove("scores.txt"); err != nil {
		t.Fatal(err)
	}
	for _, part := range []options{{sample: 3}, {skip: 3}} {
		part.out, part.scores, part.judged, part.jobs, part.time = io.Discard, "scores.txt", "judged.txt", 2, time.Hour
		if _, err := part.run([]string{"p"}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile("scores.txt"); err != nil || !strings.Contains(string(b), " 4 of     4 tried:     3 killed,    1 judged,   0 live") {
		t.Errorf("scores: %q, %v", b, err)
	}
	// Of a list only what it names is tried.
	write(t, "alive.txt", same+"\np/p.go Max: no such mutant\n")
	var out bytes.Buffer
	if _, err := (&options{out: &out, of: "alive.txt", jobs: 2, time: time.Hour}).run([]string{"p"}); err != nil || !strings.Contains(out.String(), "1 of     1 tried") {
		t.Errorf("of a list: %v\n%s", err, &out)
	}
	if _, err := (&options{out: &out, of: "missing.txt"}).run([]string{"p"}); err == nil {
		t.Error("a list that is not there is no error")
	}
	// What was judged is not tried: that it is killed by now shows only then.
	write(t, "judged.txt", "# wrong\np/p.go Max: condition, a > b -> (a > b) && false | if a > b {\n")
	for again, want := range map[bool]string{false: "1 judged", true: "0 judged"} {
		var out bytes.Buffer
		o := options{out: &out, judged: "judged.txt", jobs: 2, time: time.Hour, again: again}
		if _, err := o.run([]string{"p"}); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("again %t: %v\n%s", again, err, &out)
		}
	}
	// What was judged before the code has changed is to be judged anew.
	const gone = "p/p.go Max: operator, < -> <= | if a < b {"
	write(t, "judged.txt", "# equal numbers are the same\n"+same+"\n"+gone+"\n")
	if _, err := (&options{out: io.Discard, judged: "judged.txt", jobs: 2, time: time.Hour}).run([]string{"p"}); err == nil ||
		!strings.Contains(err.Error(), gone) || strings.Contains(err.Error(), same) {
		t.Errorf("a line that names no mutant: %v", err)
	}
	write(t, "judged.txt", "")
	write(t, "p/p_test.go", "package p\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { t.Error() }\n")
	if _, err := (&options{out: &bytes.Buffer{}, jobs: 1, time: time.Hour}).run([]string{"p"}); err == nil {
		t.Error("tests that fail without a change are no error")
	}
}
