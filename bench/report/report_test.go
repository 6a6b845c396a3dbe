package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRows(t *testing.T) {
	for _, id := range ids {
		if !slices.ContainsFunc(rows, func(w row) bool { return w.id == id }) {
			t.Errorf("%s has no row", id)
		}
	}
	for _, w := range rows {
		if !slices.Contains(ids, w.id) {
			t.Errorf("%s is no id", w.id)
		}
	}
}

// A report fails if an id has neither a figure nor a reason, even if only one
// of its rows lacks both.
func TestMissing(t *testing.T) {
	r := newResults()
	for _, w := range rows {
		if w.id != "P3" || w.work == "P3a" {
			r.add(w.work, w.ours(), w.metric, 1)
		}
	}
	if got := r.missing(letters); !slices.Equal(got, []string{"P3"}) {
		t.Errorf("got %q, want P3", got)
	}
	r.absent["P3"] = "no time"
	if got := r.missing(letters); got != nil {
		t.Errorf("got %q, want none", got)
	}
}

func TestJudge(t *testing.T) {
	half := row{work: "w", metric: nanoseconds, rivals: []string{"a", "b"}, most: 0.5, limits: []limit{noAllocation}}
	within := row{work: "w", metric: nanoseconds, rivals: []string{"a"}, plus: 10, limits: []limit{{metric: allocations, most: 2, beyond: true}}}
	for _, c := range []struct {
		name         string
		row          row
		ours, allocs float64
		want, ratio  string
	}{
		{"met", half, 50, 0, met, "0.50"},
		{"as it is printed", half, 50.4, 0, met, "0.50"},
		{"slow", half, 51, 0, notMet, "0.51"},
		{"allocates", half, 1, 1, notMet, "0.010"},
		{"a little more", within, 120, 5, met, "1.09"},
		{"too much more", within, 121, 5, notMet, "1.10"},
		{"allocates too much more", within, 120, 6, notMet, "1.09"},
		{"no goal", row{work: "w", metric: nanoseconds, rivals: []string{"a"}}, 1000, 9, stated, "9.09"},
		{"no rival", row{work: "w", metric: nanoseconds, rivals: []string{"none"}, most: 1}, 1, 0, notMeasured, "-"},
	} {
		r := newResults()
		r.add("w", us, nanoseconds, c.ours)
		r.add("w", us, allocations, c.allocs)
		r.add("w", "a", nanoseconds, 110)
		r.add("w", "a", allocations, 3)
		r.add("w", "b", nanoseconds, 100)
		if got := r.judge(&c.row); got.met != c.want || got.ratio != c.ratio {
			t.Errorf("%s: %s, ratio %s; want %s, %s", c.name, got.met, got.ratio, c.want, c.ratio)
		}
	}
}

// Where rounds came in turns, the ratio is the median of theirs.
func TestJudgePaired(t *testing.T) {
	r := newResults()
	for i, v := range []float64{10, 20, 90} {
		r.add("w", us, cpuTime, v)
		r.add("w", onGoroutines, cpuTime, []float64{10, 25, 30}[i])
	}
	w := row{work: "w", metric: cpuTime, rivals: []string{onGoroutines}, most: 1, paired: true}
	if got := r.judge(&w); got.met != met || got.ratio != "1.00" {
		t.Errorf("%s, ratio %s; want %s, 1.00", got.met, got.ratio, met)
	}
	w.paired, w.most = false, 0.8
	if got := r.judge(&w); got.met != met || got.ratio != "0.80" {
		t.Errorf("of the medians: %s, ratio %s; want %s, 0.80", got.met, got.ratio, met)
	}
}

// A row whose one rival is absent says why it can't be judged.
func TestWithout(t *testing.T) {
	r := newResults()
	r.add("w", us, cpuTime, 1)
	r.absent[uWS] = "not given"
	w := row{id: "L1", work: "w", metric: cpuTime, rivals: []string{uWS}, most: 1}
	if got := r.judge(&w).met; got != notMeasured || r.without(&w) != "not given" {
		t.Errorf("%s, because %q", got, r.without(&w))
	}
	r.add("w", uWS, cpuTime, 1)
	if got := r.judge(&w).met; got != met || r.without(&w) != "" {
		t.Errorf("with it: %s, because %q", got, r.without(&w))
	}
}

func TestRegressed(t *testing.T) {
	r := newResults()
	r.add("P7", us, nanoseconds, 1000)
	r.add("P7", us, allocations, 0)
	if got := r.regressed(); got != nil {
		t.Errorf("slow is no regression: %q", got)
	}
	r.add("P7", us, allocations, 2)
	if got := r.regressed(); len(got) != 1 || !strings.Contains(got[0], "P7") {
		t.Errorf("got %q", got)
	}
}

func TestReadBenchmarks(t *testing.T) {
	r := newResults()
	n := r.readBenchmarks(strings.NewReader(`goos: linux
BenchmarkP5/gobwas/16-2   	 1000	 20.5 ns/op	 0 B/op	 1 allocs/op
BenchmarkP11/parley       	 1000	 7 ns/op	 2.000 writes/op
BenchmarkUTF8Std/cjk/1024-16  	 1000	 900 ns/op	 1100.00 MB/s
PASS
`))
	for k, want := range map[key]float64{
		{"P5/16", "gobwas", nanoseconds}:             20.5,
		{"P5/16", "gobwas", allocations}:             1,
		{"P11", us, writes}:                          2,
		{"UTF8/cjk/1024", "utf8.Valid", nanoseconds}: 900,
	} {
		if f, ok := r.figure(k.work, k.lib, k.metric); !ok || f.median != want {
			t.Errorf("%v: %v, %t; want %v", k, f.median, ok, want)
		}
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestExcuse(t *testing.T) {
	r := newResults()
	wrong := errors.New("refused")
	for range 2 {
		if err := r.excuse("L1", "gws", wrong); err != nil {
			t.Error("a rival may fail:", err)
		}
	}
	if err := r.excuse("L1", us, wrong); !errors.Is(err, wrong) {
		t.Error("we may not")
	}
	if want := []note{{"L1, gws: refused", 2}}; !slices.Equal(r.notes, want) {
		t.Errorf("got %v, want %v", r.notes, want)
	}
}

func TestFigure(t *testing.T) {
	r := newResults()
	for _, v := range []float64{5, 1, 4, 2} {
		r.add("w", us, nanoseconds, v)
	}
	if f, _ := r.figure("w", us, nanoseconds); f != (figure{median: 3, least: 1, greatest: 5, rounds: 4}) {
		t.Errorf("got %+v", f)
	}
}

func TestTotalCalls(t *testing.T) {
	const table = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000030           3        10         2 read
 40.00    0.000020           2         7           write
------ ----------- ----------- --------- --------- ----------------
100.00    0.000050           2        17         2 total
`
	if got := totalCalls(table); got != 17 {
		t.Errorf("got %d, want 17", got)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		m    metric
		want string
	}{
		{4.1, nanoseconds, "4.10 ns"},
		{18000, nanoseconds, "18.0 µs"},
		{16800, slowest, "16.8 ms"},
		{7.1, cpuTime, "7.10 µs"},
		{-0.001, kilobytes, "0.00 KB"},
		{-0.25, kilobytes, "-0.25 KB"},
		{0, allocations, "no allocation"},
		{1, writes, "1 write"},
		{2, allocations, "2 allocations"},
		{1254, kilobytes, "1,254 KB"},
		{1234567, throughput, "1,234,567/s"},
	} {
		if got := format(c.v, c.m); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.v, c.m, got, c.want)
		}
	}
}
