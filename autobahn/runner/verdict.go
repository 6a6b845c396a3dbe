package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A verdict is the suite's word for how a case went: its behavior, and
// behind a slash its behaviorClose where that is another.
type verdict string

const (
	verdictOK            verdict = "OK"
	verdictInformational verdict = "INFORMATIONAL"
)

func newVerdict(behavior, behaviorClose string) verdict {
	if behaviorClose == behavior {
		return verdict(behavior)
	}
	return verdict(behavior + "/" + behaviorClose)
}

// best returns the best verdict that there is for a case: the suite judges
// what the RFC leaves open as informational, whatever the peer does.
func best(id string) verdict {
	switch id {
	case "7.1.6", "7.13.1", "7.13.2":
		return verdictInformational
	}
	return verdictOK
}

// verdicts holds the verdict of each case that was run.
type verdicts map[string]verdict

// A result is what the report tells of one case.
type result struct {
	verdict     verdict
	description string // plain text
	detail      string // what the suite says about behavior and close
	report      string // path of the page of this case
}

// An outcome is a whole run of one role.
type outcome struct {
	results  map[string]result
	suite    string // its version
	engine   string
	started  time.Time
	duration time.Duration
}

func (o *outcome) verdicts() verdicts {
	v := make(verdicts, len(o.results))
	for id, r := range o.results {
		v[id] = r.verdict
	}
	return v
}

// summary counts the verdicts.
func (o *outcome) summary() string {
	var ok, informational int
	for _, r := range o.results {
		switch r.verdict {
		case verdictOK:
			ok++
		case verdictInformational:
			informational++
		}
	}
	return fmt.Sprintf("%d OK, %d INFORMATIONAL, %d others; %d cases in %s (wstest %s, %s)",
		ok, informational, len(o.results)-ok-informational, len(o.results),
		o.duration.Round(time.Second), o.suite, o.engine)
}

// A difference is a case whose verdict is not the expected one.
type difference struct {
	id        string
	want, got verdict // "" for none
	result    result
}

// String tells the case, its description and what changed, on some lines.
func (d difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: expected %s, got %s", d.id, d.want.orNone(), d.got.orNone())
	for _, line := range []string{d.result.description, d.result.detail, d.result.report} {
		if line != "" {
			b.WriteString("\n    " + line)
		}
	}
	return b.String()
}

func (v verdict) orNone() verdict {
	if v == "" {
		return "none"
	}
	return v
}

// compare returns the differences between what was expected of the planned
// cases and what came of them, in the order of the suite. A case that was
// planned and not run differs, and so does one that was run unplanned.
func compare(expected verdicts, got *outcome, planned []string) (differences []difference) {
	for _, id := range allCases {
		r, ran := got.results[id]
		want := expected[id]
		if !slices.Contains(planned, id) {
			want = ""
			if !ran {
				continue
			}
		}
		if !ran || want != r.verdict {
			differences = append(differences, difference{id, want, r.verdict, r})
		}
	}
	return differences
}
