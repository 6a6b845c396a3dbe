package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLicenceOf(t *testing.T) {
	mit, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want, err string }{
		{"LICENSE", string(mit), "MIT", ""},
		{"copying.txt", string(mit), "MIT", ""},
		{"README", string(mit), "", "no licence"},
		{"LICENSE", "Whoever reads this owes us a beer, and more than one if it was of use.", "", "known licence"},
		{"LICENCE", string(mit) + strings.Repeat("And a beer. ", 100), "", "known licence"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, tt.name), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := licenceOf(dir)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s, %.20q: %q, %v; want %q, %q", tt.name, tt.text, got, err, tt.want, tt.err)
		}
	}
}

// A page that is not what the modules say is found, and one that is written is right.
func TestRun(t *testing.T) {
	page := filepath.Join(t.TempDir(), "licences.md")
	if err := run(false, page, []string{"."}); err == nil {
		t.Error("no error without a page")
	}
	if err := run(true, page, []string{"."}); err != nil {
		t.Fatal(err)
	}
	if err := run(false, page, []string{"."}); err != nil {
		t.Error(err)
	}
	text, _ := os.ReadFile(page)
	if !strings.Contains(string(text), "| github.com/google/licensecheck | v0.3.1 | BSD-3-Clause |") {
		t.Errorf("the page lacks what this program needs:\n%s", text)
	}
	if err := os.WriteFile(page, append(text, "| more |"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(false, page, []string{"."}); err == nil {
		t.Error("no error with a page that says more")
	}
}
