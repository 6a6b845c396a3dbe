package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// write writes REPORT.md and the charts into a directory.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "charts"), 0o777); err != nil {
		return err
	}
	charts := r.charts()
	for _, c := range charts {
		if err := os.WriteFile(filepath.Join(dir, "charts", c.file), []byte(c.svg), 0o666); err != nil {
			return err
		}
	}
	var b strings.Builder
	r.markdown(&b, charts)
	return os.WriteFile(filepath.Join(dir, r.file()), []byte(b.String()), 0o666)
}

// file returns the name of the report's file. One that is not about all has a name of its own.
func (r *report) file() string {
	if r.only == letters {
		return "REPORT.md"
	}
	return "REPORT-" + r.only + ".md"
}

func (r *report) markdown(w io.Writer, charts []chart) {
	rows := rowsOf(r.only)
	verdicts := make([]verdict, len(rows))
	counts := make(map[string]int)
	for i := range rows {
		verdicts[i] = r.judge(&rows[i])
		counts[verdicts[i].met]++
	}
	fmt.Fprintf(w, "# Parley beside its rivals\n\nFrom one run, by `%s` in the directory bench; %s. ", strings.Join(r.command(), " "), r.took())
	fmt.Fprintf(w, "Of %d rows %d are met, %d are not, %d have no goal and %d were not measured.\n\n",
		len(rows), counts[met], counts[notMet], counts[stated], counts[notMeasured])
	fmt.Fprint(w, "Each figure is the median of its rounds, in which ours and the rivals take turns. The ratio is ours to "+
		"the best of the rivals that the goal is set against (below 1 is faster or smaller), judged as it is printed. "+
		"A goal such as \"0.5x, no allocation\" is both.\n\n")
	table(w, verdicts)
	r.absences(w)
	r.failures(w)
	for _, c := range charts {
		fmt.Fprintf(w, "\n![%s](charts/%s)\n", c.title, c.file)
	}
	r.machine(w)
	r.method(w)
	r.every(w)
}

func table(w io.Writer, verdicts []verdict) {
	fmt.Fprint(w, "| id | measure | ours | best rival | its name | ratio | goal | met |\n|---|---|---|---|---|---|---|---|\n")
	for _, v := range verdicts {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", v.row.id, v.row.measure, v.ours, v.bar, v.rival, v.ratio, v.goal, v.met)
	}
}

// absences writes why rows were not measured.
func (r *report) absences(w io.Writer) {
	var lines []string
	rows := rowsOf(r.only)
	for i := range rows {
		row := &rows[i]
		why := r.reason(row)
		if _, ok := r.figure(row.work, row.ours(), row.metric); ok {
			why = r.without(row)
		}
		if why == "" {
			continue
		}
		if line := fmt.Sprintf("- %s: %s.\n", row.id, why); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if lines != nil {
		fmt.Fprintf(w, "\nNot measured:\n\n%s", strings.Join(lines, ""))
	}
}

func (r *report) command() []string {
	return append([]string{"go run ./report"}, os.Args[1:]...)
}

func (r *report) took() string {
	return fmt.Sprintf("%s, in %.0f minutes", r.began.UTC().Format("2 January 2006"), time.Since(r.began).Minutes())
}

// failures writes which rivals failed at which work.
func (r *report) failures(w io.Writer) {
	if r.notes == nil {
		return
	}
	fmt.Fprint(w, "\nRounds in which a rival failed, and which count for nothing:\n\n")
	for _, n := range r.notes {
		fmt.Fprintf(w, "- %s (%d)\n", n.what, n.times)
	}
}

// machine describes the machine.
func (r *report) machine(w io.Writer) {
	fmt.Fprintf(w, "\n## The machine\n\n- %d processors: %s\n- %s, %s/%s\n", runtime.NumCPU(), cpuModel(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, command := range [][]string{{"uname", "-sr"}, {"node", "--version"}} {
		if out, err := exec.Command(command[0], command[1:]...).Output(); err == nil {
			fmt.Fprintf(w, "- %s %s\n", command[0], strings.TrimSpace(string(out)))
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(w, "- load when it ended: %s\n", strings.Join(strings.Fields(string(load))[:3], " "))
	}
}

func cpuModel() string {
	octets, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(octets)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, " \t:\n")
		}
	}
	return "unknown"
}

// methods says how the rows with some letters were measured.
func (r *report) methods() []struct{ letters, text string } {
	return []struct{ letters, text string }{
		{"P", `P: benchmarks of this module (and of conn for what it does not export), over streams in memory:
` + "`go test -bench . -count 10`" + ` here prints the same for benchstat. "by hand" is a frame loop on gobwas' header
functions: without rules, UTF-8 check or locks, it is nobody's API, but a fair bar.`},
		{"LCMSH", `"in the loop": all connections in Parley's event loop, by a Loop whose After is 0. "on goroutines": none of them, by an After of -1. What
is called "parley" has the default: the first connections on goroutines, more in the loop. All are served by Server.Handle, which the
loop can call as well as a goroutine; Server.Serve keeps its goroutine in any case.`},
		{"LCSH", `L, C, S and H: a server process and a load generator over loopback. The generator is one thread that waits
with epoll and sends frames made beforehand. A server's time is getrusage's, user and system, over all messages;
system calls are those that strace counts on a run of their own: it makes servers slow, so that they find more
in their sockets and wait less. "bare loop" is the limit: the same
system calls and next to nothing else, one write for all that a read brought.`},
		{"L", `L5: server and generator share one processor, and have one each in the row below. Left to itself the kernel does now
this and now that, and waking a processor that sleeps takes longer than all else.`},
		{"L", `"Server on one processor": the server has one from its start, and the generator the other. Without these words both have all, and
the kernel decides.`},
		{"L", fmt.Sprintf(`L7 has %s connections, which is the most that was asked for or what the limit of descriptors permits.
The slowest libraries take part neither there nor on one processor.`, thousands(float64(r.idle)))},
		{"C", fmt.Sprintf(`C: a server for each of the shells, with a generator of its own that keeps its connections, and the shells in turns. On one
processor the server has one and the generator the other, from their start; on two they share both. The ratio is the median of
the ratios of all turns. "%s" are at most %s.`, many, thousands(float64(r.idle)))},
		{"MS", "M1, M2 and S4 count connections that have each had one message of theirs sent back (128 B, of M2 the JSON): what a goroutine's " +
			"stack\nhas grown to for it, and what a library keeps of it, is in the figure. M5 counts connections that have never sent one. M4 is\n" +
			"what a connection has more while each has 16 messages of 128 B in flight: the greatest of three measurements, with all that a collection\n" +
			"would free. What is left of it later is measured like the others."},
		{"H", fmt.Sprintf(`H1 to H3: 10 of 100 connections send messages on which the handler sleeps or computes, one at a time each, or a thousand at a time on
which it does neither. How long the others wait is counted, which have one message in flight each. H4: %s connections are opened
at the same time, through net/http, and each has a message echoed. H5: half of them are reset while the others go on.`, thousands(float64(r.idle)))},
		{"MS", fmt.Sprintf(`M: resident memory from /proc after two collections and debug.FreeOSMemory, less that with %d connections,
over the connections that came since: %d for M1, M4, M5 and S5, %d for M2 and S4, %d for M3.`, firstConns, r.idle, r.few, r.few/10)},
		{"N", fmt.Sprintf(`N: two nodes, their broker and the load generator are a process each, on the same processors; nodes and broker are
new in each round. One node emits %d events of a text and a number to a room, whose clients are on the other node;
for 50 clients it is a tenth of them. It is at most a thousand events ahead of the broker. A node's time is getrusage's, taken
when all has come and the node has nothing left to do, after a run that does not count. N1, N2 and N5 are of the same
runs.`, r.events)},
		{"N", `N2, N3 and N5: events come faster than they can be handled, as at any full load. What comes at once for the same client
leaves together with ours.`},
		{"N", `N4: even a process that has nothing to do takes a little, which is all there is where a limit stands. N6: the sum of all
rounds, told by the numbers. N7 is of the runs of N1, with one client. A node on "parley, embedded" has the NATS server in it, so its time is the server's too.`},
		{letters, `The rivals are used as their documentation recommends for speed: see servers/ for what that is, and go.mod and
servers/node/package-lock.json for the versions.`},
	}
}

func (r *report) method(w io.Writer) {
	fmt.Fprint(w, "\n## How it was measured\n\n")
	for _, m := range r.methods() {
		if strings.ContainsAny(r.only, m.letters) {
			fmt.Fprintf(w, "- %s\n", strings.ReplaceAll(m.text, "\n", "\n  "))
		}
	}
	if r.load.busy > 0.9 {
		fmt.Fprintf(w, "- The load generator was busy for up to %.0f %% of its thread: where it was above 90 %%, marked below, rates and waiting times "+
			"are bounded by it as well as by the server. The server's time a message is not.\n", 100*r.load.busy)
	} else {
		fmt.Fprintf(w, "- The load generator was never the bottleneck: it was busy for at most %.0f %% of its thread.\n", 100*r.load.busy)
	}
}

// every writes all figures with their spread.
func (r *report) every(w io.Writer) {
	fmt.Fprint(w, "\n## Every figure\n\nThe median and, behind it, the least and the greatest of the rounds.\n\n"+
		"| work | figure | who | median | least | greatest | rounds |\n|---|---|---|---|---|---|---|\n")
	var done []string
	rows := rowsOf(r.only)
	for i := range rows {
		if work := rows[i].work; !slices.Contains(done, work) {
			done = append(done, work)
			for _, m := range []metric{nanoseconds, cpuTime, median, slowest, tail, elapsed, throughput, calls, kilobytes, allocations, lost, doubled, reordered, generatorBusy} {
				r.figuresOf(w, work, m)
			}
		}
	}
	for _, g := range growths {
		if curves := r.curves(g); curves != nil {
			for _, p := range curves[0].points {
				r.figuresOf(w, fmt.Sprintf("%s/%.0f", g.work, p.x), g.metric)
			}
		}
	}
}

func (r *report) figuresOf(w io.Writer, work string, m metric) {
	for _, lib := range r.libraries(work, m) {
		f, _ := r.figure(work, lib, m)
		if m == generatorBusy {
			if f.greatest > 0.9 {
				fmt.Fprintf(w, "| %s | generator | %s | %.0f %%, busy | | | |\n", work, lib, 100*f.greatest)
			}
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %d |\n", work, m, lib,
			format(f.median, m), format(f.least, m), format(f.greatest, m), f.rounds)
	}
}
