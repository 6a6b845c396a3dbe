package suite_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/parleyws/parley/autobahn/suite"
)

// The referee must find faults. Each endpoint here has one fault, and exactly the cases
// that test for it must fail. In ModeSuite some faults fail other cases, or none.
func TestBrokenEndpoints(t *testing.T) {
	const (
		brokenText = "6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* " +
			"6.14.* 6.15.* 6.16.* 6.17.* 6.18.* 6.19.* 6.20.* 6.21.* "
		brokenFrames = "2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 "
		brokenCloses = "7.3.2 7.3.6 7.5.1 7.9.* "
		// The cases in which an echo is sent. In 9.* the suite compares only its
		// length.
		echoed = "1.* -1.1.1 -1.2.1 3.2 3.3 3.4 4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5 5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 " +
			"6.1.3 6.2.* 6.5.* 6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.* -6.11.5 6.22.* 6.23.* 7.1.1 10.1.1 12.* 13.* "
		// A message of up to 512 bytes can't refer beyond its window.
		smallWindow = "13.3.* 13.[57].* -13.[57].[123]"
		// The cases whose compressed messages are longer than a fragment.
		fragmented = "12.?.1[1-7] 12.[235].18 13.?.1[1-7]"
		nothing    = "-"
	)
	for _, tt := range []struct {
		name        string
		fault       fault
		server      string // cases that fail for a server
		client      string // cases that fail for a client; if empty, the same
		serverSuite string // cases that fail for a server in ModeSuite; if empty, not played
		clientSuite string
	}{
		{name: "no text check", fault: noTextCheck, server: brokenText},
		{name: "late text check", fault: lateTextCheck, server: "6.4.*", serverSuite: "6.4.*"},
		{name: "pong dropped", fault: pongDropped, server: "2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20"},
		{name: "wrong code", fault: wrongCode, server: brokenText + brokenFrames + brokenCloses},
		{name: "reserved bits ignored", fault: bitsIgnored, server: "3.*", serverSuite: "3.* -3.7"},
		{name: "fragments joined wrongly", fault: joinedWrongly,
			server: "5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.2.[234] " + fragmented},
		{name: "window promise broken", fault: windowBroken, server: smallWindow},
		{name: "window left out", fault: windowLeftOut, server: "13.[35].*", client: smallWindow, serverSuite: nothing, clientSuite: smallWindow},
		{name: "takeover ignored", fault: takeoverIgnored, server: "12.* 13.*", client: "12.* 13.*"},
		{name: "stream kept", fault: streamKept, server: "*", client: nothing, serverSuite: "* -7.1.6 -7.13.*", clientSuite: nothing},
		{name: "no Close frame", fault: silentEnd, server: brokenText + brokenFrames + brokenCloses, serverSuite: nothing},
		{name: "content changed", fault: contentChanged, server: echoed + "9.* -9.7.1 -9.8.1", serverSuite: echoed},
		{name: "any close code", fault: closeCodeAccepted, server: "7.5.1 7.9.*"},
	} {
		for _, role := range []string{"server", "client"} {
			want, wantSuite := tt.server, tt.serverSuite
			if role == "client" {
				want, wantSuite = cmp.Or(tt.client, want), cmp.Or(tt.clientSuite, wantSuite)
			}
			t.Run(tt.name+"/"+role, func(t *testing.T) {
				t.Parallel()
				failing(t, role == "client", tt.fault, suite.ModeStrict, want)
			})
			if wantSuite == "" {
				continue
			}
			t.Run(tt.name+"/"+role+"/suite", func(t *testing.T) {
				t.Parallel()
				failing(t, role == "client", tt.fault, suite.ModeSuite, wantSuite)
			})
		}
	}
}

// failing plays the cases and compares those that fail with the patterns. It leaves out
// long cases that test no more than shorter ones.
func failing(t *testing.T, client bool, f fault, mode suite.Mode, patterns string) {
	terms := f == windowBroken || f == windowLeftOut || f == takeoverIgnored
	leftOut := "9.[12].[456] 9.[34].[1-79] 9.[56].[1-5] "
	switch {
	case terms:
		leftOut += "1[23].?.[5-8] 1[23].?.1[1-8]"
	case f != joinedWrongly:
		leftOut += "1[23].?.[2-9] 1[23].?.10 1[23].?.1[2-8]"
	}
	var missing, extra []string
	for _, c := range suite.Cases() {
		if matches(c.ID, leftOut) {
			continue
		}
		o := suite.Options{Mode: mode, Messages: 1}
		if terms {
			o.Messages = messagesFor(c.ID)
		}
		v := play(t, c, client, f, o)
		switch want := matches(c.ID, patterns); {
		case want && v.Passed():
			missing = append(missing, c.ID)
		case !want && !v.Passed():
			extra = append(extra, v.String())
		}
	}
	if len(missing) > 0 {
		t.Errorf("passed against expectation: %s", strings.Join(missing, " "))
	}
	if len(extra) > 0 {
		t.Errorf("failed against expectation:\n%s", strings.Join(extra, "\n"))
	}
}

// messagesFor returns the number of messages after which one refers far enough
// back. Small messages, and those that hardly compress, need many.
func messagesFor(id string) int {
	switch {
	case matches(id, "1[23].?.[1-4]"):
		return 200
	case matches(id, "12.2.[567] 12.2.1[12]"):
		return 20
	default:
		return 3
	}
}
