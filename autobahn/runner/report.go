package main

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// agent is our name in the suite's reports. The suite uses it in file names.
const agent = "parley"

// A caseReport is the suite's report of one case. The index of a run has the first
// three fields. The page of the case has all fields but Reportfile.
type caseReport struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
	Reportfile    string `json:"reportfile"`

	Description string `json:"description"` // HTML
	Result      string `json:"result"`
	ResultClose string `json:"resultClose"`
}

// readReport reads the report that the suite has written to dir. It reads the pages
// only of cases that do not have the best verdict.
func readReport(dir string) (map[string]result, error) {
	var index map[string]map[string]caseReport
	if err := readJSON(filepath.Join(dir, "index.json"), &index); err != nil {
		return nil, fmt.Errorf("the suite left no report: %w", err)
	}
	results := make(map[string]result)
	for id, c := range index[agent] {
		r := result{verdict: newVerdict(c.Behavior, c.BehaviorClose)}
		if r.verdict != best(id) {
			page := filepath.Join(dir, filepath.Base(c.Reportfile))
			if err := readJSON(page, &c); err != nil {
				return nil, err
			}
			r.description = plain(c.Description)
			r.detail = plain(c.Result + " " + c.ResultClose)
			r.report = strings.TrimSuffix(page, ".json") + ".html"
		}
		results[id] = r
	}
	return results, nil
}

func readJSON(file string, v any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

var tag = regexp.MustCompile(`<[^>]*>`)

// plain converts a piece of HTML to one line of text.
func plain(s string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(s, " "))), " ")
}
