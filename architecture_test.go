package parley_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// place is a function and the file that ARCHITECTURE.md says it is in.
var place = regexp.MustCompile("`(?:\\w+\\.)?(\\w+)` in (\\w[\\w/]*\\.go)")

// TestArchitectureNamesPlaces holds the answers of ARCHITECTURE.md, section
// "Where to find", against the code: each function is in the file that is named.
func TestArchitectureNamesPlaces(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Where to find\n")
	section, _, _ = strings.Cut(section, "\n## ")
	places := place.FindAllStringSubmatch(section, -1)
	if len(places) < 5 {
		t.Fatalf("%d places found", len(places))
	}
	for _, p := range places {
		name, file := p[1], p[2]
		source, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if !regexp.MustCompile(`(?m)^func (\(.*\) )?` + name + `\(`).Match(source) {
			t.Errorf("%s is not in %s", name, file)
		}
	}
}
