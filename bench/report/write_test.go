package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measured returns a report with a figure for everything.
func measured() *report {
	r := &report{plan: full, results: newResults(), began: time.Now(), load: new(generator), only: letters}
	for i, w := range rows {
		for j, lib := range append([]string{w.ours(), bare.name}, w.rivals...) {
			if w.metric == lost {
				r.sum(w.work, lib, lost, 0)
				continue
			}
			r.add(w.work, lib, w.metric, float64(1+i+j))
		}
		for _, l := range w.limits {
			r.add(w.work, w.ours(), l.metric, l.most)
			for _, lib := range w.rivals {
				r.add(w.work, lib, l.metric, 0)
			}
		}
	}
	for _, l := range growers {
		for _, n := range steps(full.growth) {
			r.add(fmt.Sprintf("connections/%d", n), l.name, throughput, 1e6/float64(n))
			r.add(fmt.Sprintf("connections/%d", n), l.name, cpuTime, 7)
			r.add(fmt.Sprintf("connections/%d", n), l.name, megabytes, 9+0.005*float64(n))
			r.add(fmt.Sprintf("room/%d", n), l.name, cpuTime, 3)
		}
		for _, n := range messageSizes {
			r.add(fmt.Sprintf("size/%d", n), l.name, cpuTime, float64(n))
		}
	}
	return r
}

func TestWrite(t *testing.T) {
	r := measured()
	r.notes = []note{{"L1, gws: refused", 2}}
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	octets, err := os.ReadFile(filepath.Join(dir, "REPORT.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(octets)
	for _, id := range ids {
		if !strings.Contains(text, "\n| "+id+" | ") {
			t.Errorf("there is no line for %s", id)
		}
	}
	charts := r.charts()
	if len(charts) != 11 {
		t.Errorf("%d charts", len(charts))
	}
	for _, c := range charts {
		if !strings.Contains(text, "(charts/"+c.file+")") {
			t.Errorf("%s is not shown", c.file)
		}
		wellFormed(t, c)
	}
	if !strings.Contains(text, "L1, gws: refused (2)") {
		t.Error("it hides that a rival failed")
	}
}

// A report about some rows has a file of its own, and nothing of the others.
func TestWriteSome(t *testing.T) {
	r := measured()
	r.only = "NM"
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "REPORT-NM.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if want := strings.Contains(r.only, id[:1]); strings.Contains(string(text), "\n| "+id+" | ") != want {
			t.Errorf("a line for %s: %t, want %t", id, !want, want)
		}
	}
	delete(r.figures, key{"L2", inLoop, cpuTime})
	if err := r.judgement(); err != nil {
		t.Error("what it is not about is missing:", err)
	}
}

// The command fails if an id lacks its figure, and names the id.
func TestJudgement(t *testing.T) {
	r := measured()
	if err := r.judgement(); err != nil {
		t.Fatal("all is there:", err)
	}
	delete(r.figures, key{"L2", inLoop, cpuTime})
	if err := r.judgement(); err == nil || !strings.Contains(err.Error(), "L2") {
		t.Errorf("L2 is missing: %v", err)
	}
}

func wellFormed(t *testing.T, c chart) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(c.svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%s: %v", c.file, err)
			return
		}
	}
}

func TestChartsAreNumbers(t *testing.T) {
	for _, c := range measured().charts() {
		if strings.Contains(c.svg, "NaN") || strings.Contains(c.svg, "Inf") || strings.Contains(c.svg, "%!") {
			t.Errorf("%s has no picture: %s", c.file, c.svg)
		}
	}
}

// Without figures there are no charts, and every row says so.
func TestWriteNothing(t *testing.T) {
	r := &report{plan: quick, results: newResults(), began: time.Now(), load: new(generator), only: letters}
	r.absent["S"] = "there is no Node.js"
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	octets, _ := os.ReadFile(filepath.Join(dir, "REPORT.md"))
	if !strings.Contains(string(octets), "- S1: there is no Node.js.") {
		t.Errorf("it does not say why:\n%s", octets)
	}
	if got := strings.Count(string(octets), "| "+notMeasured+" |"); got != len(rows) {
		t.Errorf("%d rows are not measured, want %d", got, len(rows))
	}
}
