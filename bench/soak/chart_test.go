package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// The chart is XML, whatever the samples are.
func TestChart(t *testing.T) {
	one := sample{At: time.Minute, Resident: 50 << 20, Settled: true, P99: time.Millisecond}
	slow := one
	slow.At, slow.Phase, slow.Healthy = 2*time.Minute, 1, Faults{Lost: 3}
	for _, samples := range [][]sample{{one}, {one, slow}, {{}, {}}} {
		svg := chart("a <title>", samples)
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, "%!") {
			t.Errorf("no picture: %s", svg)
		}
	}
}
