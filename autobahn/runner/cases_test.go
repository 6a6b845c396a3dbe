package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAllCases(t *testing.T) {
	want := map[string]int{
		"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126,
	}
	got := make(map[string]int)
	for _, id := range allCases {
		section, _, _ := strings.Cut(id, ".")
		got[section]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases by section (-want +got):\n%s", diff)
	}
	if len(allCases) != 517 {
		t.Errorf("%d cases, want 517", len(allCases))
	}
}

func TestSelectCases(t *testing.T) {
	tests := []struct {
		list        string
		n           int
		first, last string
	}{
		{"*", 517, "1.1.1", "13.7.18"},
		{"6.4.1", 1, "6.4.1", "6.4.1"},
		{"6.4", 4, "6.4.1", "6.4.4"},
		{"6", 145, "6.1.1", "6.23.7"},
		{"1", 16, "1.1.1", "1.2.8"},
		{"1.*,2.*", 27, "1.1.1", "2.11"},
		{"12.*.1", 5, "12.1.1", "12.5.1"},
		{"13.[12].1", 2, "13.1.1", "13.2.1"},
		{"10,2.1,2.1,2", 12, "2.1", "10.1.1"},
		{"ci", 301 + 12*6, "1.1.1", "13.7.18"},
	}
	for _, tt := range tests {
		t.Run(tt.list, func(t *testing.T) {
			got, err := selectCases(tt.list)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != tt.n || got[0] != tt.first || got[len(got)-1] != tt.last {
				t.Errorf("%d cases from %s to %s, want %d from %s to %s",
					len(got), got[0], got[len(got)-1], tt.n, tt.first, tt.last)
			}
		})
	}
	for _, list := range []string{"", "8", "11.1", "6.4.5", "1,", "1..1", "[", "c", "1.1.1,nonsense"} {
		if got, err := selectCases(list); err == nil {
			t.Errorf("selectCases(%q) = %q, want an error", list, got)
		}
	}
}
