package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A verdict is the suite's verdict on a case: the behavior, and, if behaviorClose
// differs from it, a slash and behaviorClose.
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

// best returns the best verdict that a case can have. If the RFC leaves open what the
// peer does, the suite's verdict is always informational.
func best(id string) verdict {
	switch id {
	case "7.1.6", "7.13.1", "7.13.2":
		return verdictInformational
	}
	return verdictOK
}

// verdicts holds the verdicts by case.
type verdicts map[string]verdict

// A result is the report on one case.
type result struct {
	verdict     verdict
	description string // plain text
	detail      string // the suite's explanation of both verdicts
	report      string // path of the case's page
}

// An outcome is a whole run of one role.
type outcome struct {
	results  map[string]result
	suite    string // version of the suite
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
	want, got verdict // "" if the case was not expected, or was not run
	result    result
}

// String returns the case, its description and the difference, in a few lines.
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

// compare returns the planned cases whose verdicts are not the expected ones, in the
// order of the suite. A case that was planned and not run is a difference, and so is
// a case that was run and not planned.
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
