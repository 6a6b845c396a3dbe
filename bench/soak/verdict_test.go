package main

import (
	"io"
	"testing"
	"time"
)

// Each thing that is not as it should be is one requirement that is not met.
func TestJudge(t *testing.T) {
	state := State{Goroutines: 2, Heap: 8 << 20}
	good := func() *soak {
		s := &soak{tally: newTally(), options: options{duration: 30 * time.Minute, slower: 2}}
		s.tally.message("test", time.Millisecond)
		for i := range 200 {
			m := sample{State: State{Goroutines: 1000, Heap: 50 << 20}, At: time.Duration(i) * 9 * time.Second, Resident: 90 << 20, Descriptors: 900}
			m.Settled, m.Phase, m.Messages, m.P99 = i%10 == 9, i/10, 1, 5*time.Millisecond
			s.samples = append(s.samples, m)
		}
		s.baseline, s.final = sample{State: state, Descriptors: 10}, sample{State: state, Descriptors: 10}
		return s
	}
	for _, c := range []struct {
		name  string
		spoil func(*soak)
	}{
		{"a loss", func(s *soak) { s.tally.healthy.Lost++ }},
		{"a double for one who has come back", func(s *soak) { s.tally.back.Doubled++ }},
		{"an end", func(s *soak) { s.tally.wrong("ended") }},
		{"no message", func(s *soak) { s.tally.kinds = nil }},
		{"a panic", func(s *soak) { s.final.Errors++ }},
		{"slow readers who slow the others", func(s *soak) {
			for i := range s.samples {
				if activity(s.samples[i].Phase) == stopping {
					s.samples[i].P99 *= 3
				}
			}
		}},
		{"memory that grows", func(s *soak) {
			for i := range s.samples {
				s.samples[i].Resident += i << 20 / 100
			}
		}},
		{"a heap that grows", func(s *soak) {
			for i := range s.samples {
				s.samples[i].Heap += uint64(i) << 20 / 100
			}
		}},
		{"goroutines that grow", func(s *soak) {
			for i := range s.samples {
				s.samples[i].Goroutines += i
			}
		}},
		{"descriptors that grow", func(s *soak) {
			for i := range s.samples {
				s.samples[i].Descriptors += i
			}
		}},
		{"a goroutine that stays", func(s *soak) { s.final.Goroutines++ }},
		{"a descriptor that stays", func(s *soak) { s.final.Descriptors++ }},
		{"a session that stays", func(s *soak) { s.final.Sessions++ }},
		{"memory that stays", func(s *soak) { s.final.Heap += heapLeft + 1 }},
		{"a goroutine of a client that stays", func(s *soak) { s.own++ }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			if !s.judge(io.Discard) {
				t.Fatal("without it the judgement is bad already")
			}
			c.spoil(s)
			if s.judge(io.Discard) {
				t.Error("the judge does not find it")
			}
		})
	}
}
