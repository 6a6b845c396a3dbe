package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A verdict is what the report says of a row.
type verdict struct {
	row   *row
	ours  string
	bar   string // figure of the best rival
	rival string // name of the best rival
	ratio string
	goal  string
	met   string
}

const (
	met         = "met"
	notMet      = "not met"
	stated      = "stated" // the row has no goal
	notMeasured = "not measured"
)

// judge compares a row's figures with its goal.
func (r *results) judge(w *row) verdict {
	v := verdict{row: w, goal: w.goal(), ours: "-", bar: "-", rival: "-", ratio: "-", met: notMeasured}
	lib, bar, hasBar := r.best(w.work, w.metric, w.rivals)
	if hasBar {
		v.bar, v.rival = format(bar.median, w.metric), lib
	}
	own, ok := r.figure(w.work, w.ours(), w.metric)
	if !ok {
		return v
	}
	v.ours = format(own.median, w.metric)
	ratio := own.median / bar.median
	if w.paired && hasBar {
		ratio = r.paired(w.work, w.ours(), lib, w.metric).median
	}
	if hasBar && bar.median > 0 && own.median >= 0 {
		v.ratio = fmt.Sprintf("%.2f", ratio)
		if ratio < 0.1 {
			v.ratio = fmt.Sprintf("%.3f", ratio)
		}
	}
	switch {
	case !hasBar && (w.most > 0 || w.least > 0 || w.plus > 0):
		return v
	case w.most == 0 && w.least == 0 && w.plus == 0 && len(w.limits) == 0:
		v.met = stated
	case w.most > 0 && round(ratio) > w.most,
		w.least > 0 && round(ratio) < w.least,
		w.plus > 0 && own.median-bar.median > w.plus,
		!r.withinLimits(w, lib, &v):
		v.met = notMet
	default:
		v.met = met
	}
	return v
}

// round rounds a ratio as it is printed. The rounded ratio is judged.
func round(ratio float64) float64 {
	if ratio < 0.1 {
		return math.Round(ratio*1000) / 1000
	}
	return math.Round(ratio*100) / 100
}

// withinLimits reports whether the figures are within the row's limits. It adds
// those that are not to v.
func (r *results) withinLimits(w *row, rival string, v *verdict) bool {
	ok := true
	for _, l := range w.limits {
		f, has := r.figure(w.work, w.ours(), l.metric)
		most := l.most
		if l.beyond {
			bar, hasBar := r.figure(w.work, rival, l.metric)
			most, has = most+bar.median, has && hasBar
		}
		if has && round(f.median) <= most {
			continue
		}
		ok = false
		if l.metric != w.metric {
			v.ours += ", " + format(f.median, l.metric)
		}
	}
	return ok
}

// goal describes the goal of a row.
func (r *row) goal() string {
	var parts []string
	if r.most > 0 {
		parts = append(parts, fmt.Sprintf("%.3gx", r.most))
	}
	if r.least > 0 {
		parts = append(parts, fmt.Sprintf("%.3gx or more", r.least))
	}
	if r.plus > 0 {
		parts = append(parts, "+ "+format(r.plus, r.metric))
	}
	for _, l := range r.limits {
		s := format(l.most, l.metric)
		if l.beyond {
			s = "+ " + s
		}
		parts = append(parts, s)
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// format writes a figure with its unit, to three places.
func format(v float64, m metric) string {
	unit := string(m)
	switch {
	case m == allocations && v == 0:
		return "no allocation"
	case m == allocations || m == writes:
		s := fmt.Sprintf("%.0f %s", v, unit)
		if v == 1 {
			s = strings.TrimSuffix(s, "s")
		}
		return s
	case m == lost || m == doubled || m == reordered:
		if v == 0 {
			return "none " + unit
		}
		return thousands(v) + " " + unit
	case m == calls:
		return fmt.Sprintf("%.3g", v)
	case m == nanoseconds && v >= 1000:
		v, unit = v/1000, "µs"
	case (m == median || m == slowest || m == tail || m == cpuTime) && v >= 1000:
		v, unit = v/1000, "ms"
	case m == throughput:
		return thousands(v) + "/s"
	}
	unit, _, _ = strings.Cut(unit, " ")
	return threePlaces(v) + " " + unit
}

func threePlaces(v float64) string {
	switch {
	case math.Abs(v) < 0.005:
		return "0.00" // and not -0.00
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(v)
}

// thousands writes a number with a comma before each three places.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// missing returns the ids, of those that begin with some letters, that have neither a figure of Parley nor a reason.
func (r *results) missing(letters string) (without []string) {
	for _, id := range ids {
		if strings.Contains(letters, id[:1]) && !r.covers(id) {
			without = append(without, id)
		}
	}
	return without
}

// covers reports whether all rows of an id have a figure, or a reason why not.
func (r *results) covers(id string) bool {
	some := false
	for i := range rows {
		w := &rows[i]
		if w.id != id {
			continue
		}
		some = true
		if _, ok := r.figure(w.work, w.ours(), w.metric); !ok && r.reason(w) == "" {
			return false
		}
	}
	return some
}

// reason returns why a row was not measured.
func (r *results) reason(w *row) string {
	for _, k := range []string{w.id + " " + string(w.metric), w.work, w.id, w.id[:1], w.ours()} {
		if why := r.absent[k]; why != "" {
			return why
		}
	}
	return ""
}

// without returns why a row that has a figure has no bar.
func (r *results) without(w *row) string {
	if _, _, ok := r.best(w.work, w.metric, w.rivals); ok || len(w.rivals) != 1 {
		return ""
	}
	return r.absent[w.rivals[0]]
}

// onBusyMachines lists the metrics that can be judged on a busy machine.
var onBusyMachines = []metric{allocations, writes, lost, doubled, reordered}

// regressed returns the rows whose limits on metrics of onBusyMachines do not hold.
func (r *results) regressed() (lines []string) {
	for i := range rows {
		w := rows[i]
		w.most, w.least, w.plus = 0, 0, 0
		w.limits = slices.DeleteFunc(slices.Clone(w.limits), func(l limit) bool {
			return !slices.Contains(onBusyMachines, l.metric)
		})
		if len(w.limits) == 0 {
			continue
		}
		if v := r.judge(&w); v.met == notMet {
			lines = append(lines, fmt.Sprintf("%s, %s: %s; expected: %s", w.id, w.measure, v.ours, v.goal))
		}
	}
	return lines
}
