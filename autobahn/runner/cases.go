package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// sections is the suite's list of cases. The cases of each section are numbered
// from 1. The list is the same in versions 0.8.2 to 25.10.1.
var sections = []struct {
	name string
	n    int
}{
	{"1.1", 8}, {"1.2", 8},
	{"2", 11},
	{"3", 7},
	{"4.1", 5}, {"4.2", 5},
	{"5", 20},
	{"6.1", 3}, {"6.2", 4}, {"6.3", 2}, {"6.4", 4}, {"6.5", 5}, {"6.6", 11},
	{"6.7", 4}, {"6.8", 2}, {"6.9", 4}, {"6.10", 3}, {"6.11", 5}, {"6.12", 8},
	{"6.13", 5}, {"6.14", 10}, {"6.15", 1}, {"6.16", 3}, {"6.17", 5}, {"6.18", 5},
	{"6.19", 5}, {"6.20", 7}, {"6.21", 8}, {"6.22", 34}, {"6.23", 7},
	{"7.1", 6}, {"7.3", 6}, {"7.5", 1}, {"7.7", 13}, {"7.9", 9}, {"7.13", 2},
	{"9.1", 6}, {"9.2", 6}, {"9.3", 9}, {"9.4", 9}, {"9.5", 6}, {"9.6", 6}, {"9.7", 6}, {"9.8", 6},
	{"10.1", 1},
	{"12.1", 18}, {"12.2", 18}, {"12.3", 18}, {"12.4", 18}, {"12.5", 18},
	{"13.1", 18}, {"13.2", 18}, {"13.3", 18}, {"13.4", 18}, {"13.5", 18}, {"13.6", 18}, {"13.7", 18},
}

// allCases returns every case of the suite, in the order of the suite.
var allCases = func() (ids []string) {
	for _, s := range sections {
		for i := range s.n {
			ids = append(ids, s.name+"."+strconv.Itoa(i+1))
		}
	}
	return ids
}()

// ciCases returns the cases that continuous integration runs. These are sections 1
// to 10 in full, and six of the 18 sizes of each group of sections 12 and 13:
// messages of 16, 64, 256 and 1,024 bytes, messages of 8 KiB in frames of 256 bytes,
// and the largest, 128 KiB in frames of 32 KiB.
const ciCases = "1,2,3,4,5,6,7,9,10," +
	"12.*.1,12.*.2,12.*.3,12.*.4,12.*.11,12.*.18," +
	"13.*.1,13.*.2,13.*.3,13.*.4,13.*.11,13.*.18"

// selectCases returns the cases that a comma-separated list names, in the order of
// the suite. Each item is a case, a section, a pattern of path.Match, or "ci" for
// ciCases. A section stands for all of its cases. An item that matches no case is an
// error.
func selectCases(list string) ([]string, error) {
	if list == "ci" {
		list = ciCases
	}
	chosen := make(map[string]bool)
	for item := range strings.SplitSeq(list, ",") {
		found := false
		for _, id := range allCases {
			matches, err := path.Match(item, id)
			if err != nil {
				return nil, fmt.Errorf("cases %q: %w", item, err)
			}
			if matches || strings.HasPrefix(id, item+".") {
				chosen[id], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no case matches %q", item)
		}
	}
	return slices.DeleteFunc(slices.Clone(allCases), func(id string) bool { return !chosen[id] }), nil
}
