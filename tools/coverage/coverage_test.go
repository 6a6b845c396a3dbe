package main

import (
	"strings"
	"testing"
)

const (
	defaultBuild = `mode: set
example.org/m/mask/mask.go:1.1,3.2 2 1
example.org/m/mask/mask.go:4.1,5.2 1 0
example.org/m/mask/mask_amd64.go:1.1,9.2 4 1
example.org/m/conn/rules.go:1.1,2.2 1 1
example.org/m/conn/read.go:1.1,2.2 9 1
example.org/m/conn/read.go:3.1,4.2 1 0
`
	puregoBuild = `mode: set
example.org/m/mask/mask.go:1.1,3.2 2 0
example.org/m/mask/mask.go:4.1,5.2 1 1
example.org/m/mask/mask_noasm.go:1.1,2.2 3 1
`
)

func merged(t *testing.T, texts ...string) profile {
	t.Helper()
	p := profile{}
	for _, text := range texts {
		if err := p.add(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestMergeIsTheUnion(t *testing.T) {
	want := map[string]share{
		"example.org/m/mask/mask.go":       {3, 3},
		"example.org/m/mask/mask_amd64.go": {4, 4},
		"example.org/m/mask/mask_noasm.go": {3, 3},
		"example.org/m/conn/rules.go":      {1, 1},
		"example.org/m/conn/read.go":       {9, 10},
	}
	for _, texts := range [][]string{{defaultBuild, puregoBuild}, {puregoBuild, defaultBuild}} {
		got := merged(t, texts...).files()
		if len(got) != len(want) {
			t.Errorf("%d files, want %d", len(got), len(want))
		}
		for file, s := range want {
			if got[file] != s {
				t.Errorf("%s: %v, want %v", file, got[file], s)
			}
		}
	}
}

func TestFloors(t *testing.T) {
	tests := []struct {
		name, floors string
		want         bool
		says         string
	}{
		{"none", "", true, "90.0 %      9 of    10  example.org/m/conn/read.go"},
		{"reached", "mask 100\nconn 90 # of the package\n\nconn/rules.go 100", true, ""},
		{"package below", "conn 95", false, "conn: 90.9 % is below the floor of 95 %\n  not run: example.org/m/conn/read.go:3.1,4.2\n"},
		{"file below", "conn/read.go 100", false, "conn/read.go: 90.0 % is below"},
		{"no such package", "onn 10", false, "onn: in no profile"},
		{"no such file", "conn/life.go 10", false, "conn/life.go: in no profile"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			floors, err := parseFloors(strings.NewReader(test.floors))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if got := report(&out, merged(t, defaultBuild, puregoBuild), floors); got != test.want {
				t.Errorf("reached %v, want %v:\n%s", got, test.want, &out)
			}
			if !strings.Contains(out.String(), test.says) {
				t.Errorf("says nothing of %q:\n%s", test.says, &out)
			}
		})
	}
}

func TestDefaultBuildAloneMissesTheFloor(t *testing.T) {
	var out strings.Builder
	if report(&out, merged(t, defaultBuild), []floor{{"mask", 100}}) {
		t.Errorf("the uncovered block of mask.go went unseen:\n%s", &out)
	}
}

func TestBadInput(t *testing.T) {
	for _, text := range []string{"", "mode\n", "mode: set\nfile.go 1 1\n", "mode: set\nfile.go:1.1,2.2 x 1\n", "mode: set\nfile.go:1.1,2.2 1 -1\n", "mode: set\nfile.go:1.1,2.2 1\n"} {
		if err := (profile{}).add(strings.NewReader(text)); err == nil {
			t.Errorf("profile %q: no error", text)
		}
	}
	for _, text := range []string{"conn\n", "conn many\n", "conn 1 2\n"} {
		if _, err := parseFloors(strings.NewReader(text)); err == nil {
			t.Errorf("floors %q: no error", text)
		}
	}
}
