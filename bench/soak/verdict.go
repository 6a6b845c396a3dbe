package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

const (
	// growthLimit is how much memory may grow, in MiB an hour.
	growthLimit = 1
	// longEnough is how long a run must be for its slopes of memory to be judged: a
	// short one can't tell a limit of an hour from noise.
	longEnough = 30 * time.Minute
	// flatness is by which part of their number goroutines and descriptors may grow in a run.
	flatness = 0.05
	// heapLeft is how much of the heap may be in use, beyond the baseline, when all connections are
	// gone: the events that are kept for clients which come back, and pools.
	heapLeft = 16 << 20
)

// A judge prints what was found, and notes whether it is as it should be.
type judge struct {
	w      io.Writer
	failed int
}

// require prints a line, and whether what it says is right.
func (j *judge) require(ok bool, format string, args ...any) {
	word := "ok  "
	if !ok {
		word = "FAIL"
		j.failed++
	}
	fmt.Fprintf(j.w, "%s  %s\n", word, fmt.Sprintf(format, args...))
}

// tell prints a line that is not judged.
func (j *judge) tell(format string, args ...any) {
	fmt.Fprintf(j.w, "      %s\n", fmt.Sprintf(format, args...))
}

// judge prints the verdict, and reports whether all is as it should be.
func (s *soak) judge(w io.Writer) bool {
	j := &judge{w: w}
	fmt.Fprintf(w, "\n%d connections, %v, shell %s, seed %d\n\n", len(s.slots), s.duration, s.shell, s.seed)
	s.judgeMessages(j)
	s.judgeLatency(j)
	s.judgeGrowth(j)
	s.judgeEnd(j)
	fmt.Fprintln(w)
	for _, name := range sorted(s.tally.counts) {
		j.tell("%6d  %s", s.tally.counts[name], name)
	}
	fmt.Fprintf(w, "\nsoak: %d requirements not met\n", j.failed)
	return j.failed == 0
}

func (s *soak) judgeMessages(j *judge) {
	healthy, back, wrong := s.tally.found()
	total := 0
	for _, name := range sorted(s.tally.kinds) {
		k := s.tally.kinds[name]
		total += k.messages
		j.tell("%-22s %9d messages, p50 %8v, p99 %8v", name, k.messages, round(time.Duration(k.latency.Quantile(0.5))),
			round(time.Duration(k.latency.Quantile(0.99))))
	}
	j.require(total > 0 && healthy == Faults{}, "of %d messages for healthy connections %d were lost, %d doubled, %d swapped", total, healthy.Lost, healthy.Doubled, healthy.Swapped)
	j.require(back == Faults{}, "for clients that were cut and came back %d were lost, %d doubled, %d swapped", back.Lost, back.Doubled, back.Swapped)
	j.require(wrong == 0, "%d times something else happened to a healthy connection", wrong)
	for _, name := range sorted(s.tally.reasons) {
		j.tell("%6d  %s", s.tally.reasons[name], name)
	}
	j.require(s.final.Errors == 0, "the server has logged %d errors", s.final.Errors)
}

// judgeLatency compares the medians of the samples' p99: what else the machine does for a moment
// is in few of them, but makes up the p99 of all messages together, which is told too.
func (s *soak) judgeLatency(j *judge) {
	calm, slow := s.typical(talking), s.typical(stopping)
	ratio := float64(slow) / float64(max(calm, 1))
	j.require(calm > 0 && slow > 0 && ratio <= s.slower, "p99 of the others, the median of all samples, is %v while one in ten does not read, and %v otherwise: %.2f times (at most %g)",
		round(slow), round(calm), ratio, s.slower)
	j.tell("p99 of all messages together: %v while one in ten does not read, and %v otherwise",
		round(time.Duration(s.windows[stopping].Quantile(0.99))), round(time.Duration(s.windows[talking].Quantile(0.99))))
	j.tell("of a processor the server used %.0f %%, the generator %.0f %%", 100*s.cpu.serverOf, 100*s.cpu.ownOf)
}

// typical returns the median of the samples' p99, of the phases with that activity.
func (s *soak) typical(of int) time.Duration {
	var all []time.Duration
	for _, m := range s.samples {
		if m.Phase >= 0 && activity(m.Phase) == of && m.Messages > 0 {
			all = append(all, m.P99)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// over returns a value of the samples after the warm-up that pass, over hours.
func (s *soak) over(pass func(sample) bool, value func(sample) float64) (points []point) {
	for _, m := range s.samples {
		if m.Phase >= 0 && pass(m) {
			points = append(points, point{m.At.Hours(), value(m)})
		}
	}
	return points
}

// rested reports whether memory at m can be compared with that at other such samples: nothing is under
// way, and the first third of the run is over. Until then the heap gets its holes: what is small and
// new when stopped readers have made it several times as large stays where it is.
func (s *soak) rested(m sample) bool {
	return m.atRest() && m.At > s.samples[0].At+s.duration/3
}

// calm samples are those of which goroutines and descriptors can be compared.
func calm(m sample) bool { return activity(m.Phase) == talking }

func (s *soak) judgeGrowth(j *judge) {
	long := s.duration >= longEnough
	for _, c := range []struct {
		name  string
		value func(sample) float64
	}{
		{"resident memory", func(m sample) float64 { return mega(m.Resident) }},
		{"live heap", func(m sample) float64 { return mega(int(m.Heap)) }},
	} {
		points := s.over(s.rested, c.value)
		t := fit(points)
		if long {
			j.require(!t.grows(growthLimit), "%s: %.1f MiB at rest, which grow by %.2f ± %.2f MiB an hour", c.name, mean(points), t.slope, t.half)
			if !t.resolves(growthLimit) {
				j.tell("which does not tell %d MiB an hour from none: the run is too short, or the machine too noisy", growthLimit)
			}
		} else {
			j.tell("%s grows by %.1f ± %.1f MiB an hour, which a run of less than %v can't judge", c.name, t.slope, t.half, longEnough)
		}
	}
	for _, c := range []struct {
		name  string
		value func(sample) float64
	}{
		{"goroutines", func(m sample) float64 { return float64(m.Goroutines) }},
		{"descriptors", func(m sample) float64 { return float64(m.Descriptors) }},
	} {
		points := s.over(calm, c.value)
		t, mean := fit(points), mean(points)
		hours := s.duration.Hours()
		half := t.half * hours
		if s.warmUp() < steady || math.IsInf(half, 1) {
			j.tell("%s: %.0f; the run is too short to say whether they grow", c.name, mean)
			continue
		}
		j.require(!t.grows(flatness*mean/hours), "%s: %.0f, which grow by %.0f ± %.0f over the run (at most %.0f)", c.name, mean, t.slope*hours, half, flatness*mean)
	}
}

func (s *soak) judgeEnd(j *judge) {
	before, after := s.baseline, s.final
	j.require(after.Plain == 0 && after.Sessions == 0, "when all clients are gone there are %d connections in rooms and %d sessions", after.Plain, after.Sessions)
	j.require(after.Goroutines <= before.Goroutines, "goroutines: %d before, %d after", before.Goroutines, after.Goroutines)
	j.require(after.Descriptors <= before.Descriptors, "descriptors: %d before, %d after", before.Descriptors, after.Descriptors)
	j.require(after.Heap <= before.Heap+heapLeft, "live heap: %.2f MiB before, %.2f after (at most %d more)", mega(int(before.Heap)), mega(int(after.Heap)), heapLeft>>20)
	j.tell("resident: %.1f MiB before, %.1f after", mega(before.Resident), mega(after.Resident))
	j.require(s.own <= 0, "goroutines of the clients that are left: %d", max(0, s.own))
}
