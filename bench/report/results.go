package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A key names a figure by its work, its library and its metric.
type key struct {
	work   string
	lib    string
	metric metric
}

// results holds all measurements of each figure, and the reasons why others
// were not measured.
type results struct {
	figures map[key][]float64
	absent  map[string]string // by work, or by the first letter of ids: the reason why it was not measured
	notes   []note            // failures of rivals
}

// A note is a failure of a rival, and how often it happened.
type note struct {
	what  string
	times int
}

func newResults() *results {
	return &results{figures: make(map[key][]float64), absent: make(map[string]string)}
}

func (r *results) add(work, lib string, m metric, v float64) {
	k := key{work, lib, m}
	r.figures[k] = append(r.figures[k], v)
}

// sum adds to a figure that is the sum of all rounds.
func (r *results) sum(work, lib string, m metric, n int) {
	k := key{work, lib, m}
	if r.figures[k] == nil {
		r.figures[k] = []float64{0}
	}
	r.figures[k][0] += float64(n)
}

// excuse records the failure of a rival, after which the report goes on. A
// failure of Parley ends the report.
func (r *results) excuse(work, lib string, err error) error {
	switch {
	case err == nil:
		return nil
	case strings.HasPrefix(lib, us):
		return fmt.Errorf("%s: %w", work, err)
	}
	what := fmt.Sprintf("%s, %s: %v", work, lib, err)
	i := slices.IndexFunc(r.notes, func(n note) bool { return n.what == what })
	if i < 0 {
		i = len(r.notes)
		r.notes = append(r.notes, note{what: what})
	}
	r.notes[i].times++
	return nil
}

// A figure sums up the measurements of several rounds.
type figure struct {
	median, least, greatest float64
	rounds                  int
}

func (r *results) figure(work, lib string, m metric) (f figure, ok bool) {
	v := slices.Sorted(slices.Values(r.figures[key{work, lib, m}]))
	if len(v) == 0 {
		return figure{}, false
	}
	middle := (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	return figure{median: middle, least: v[0], greatest: v[len(v)-1], rounds: len(v)}, true
}

// paired returns the ratio of a library's figure to that of another, which were measured in turns:
// the median of the ratios of all rounds moves less than the ratio of the medians.
func (r *results) paired(work, lib, other string, m metric) figure {
	a, b := r.figures[key{work, lib, m}], r.figures[key{work, other, m}]
	ratios := newResults()
	for i := range min(len(a), len(b)) {
		ratios.add(work, lib, m, a[i]/b[i])
	}
	f, _ := ratios.figure(work, lib, m)
	return f
}

// best returns the best median of some libraries, and the name of its library.
func (r *results) best(work string, m metric, among []string) (lib string, f figure, ok bool) {
	for _, l := range among {
		g, has := r.figure(work, l, m)
		better := g.median < f.median
		if m == throughput {
			better = g.median > f.median
		}
		if has && (!ok || better) {
			lib, f, ok = l, g, true
		}
	}
	return lib, f, ok
}

// libraries returns the libraries that did some work, the best first.
func (r *results) libraries(work string, m metric) []string {
	seen := make(map[string]bool)
	for k := range r.figures {
		if k.work == work && k.metric == m {
			seen[k.lib] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		fa, _ := r.figure(work, a, m)
		fb, _ := r.figure(work, b, m)
		switch {
		case fa.median < fb.median:
			return -1
		case fa.median > fb.median:
			return 1
		}
		return 0
	})
}
