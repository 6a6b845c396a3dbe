package suite_test

import (
	"path"
	"slices"
	"strings"
)

// matches reports whether a pattern matches id, and no pattern with a leading
// minus does.
func matches(id, patterns string) bool {
	match := func(pattern string) bool {
		ok, err := path.Match(pattern, id)
		if err != nil {
			panic(err)
		}
		return ok
	}
	fields := strings.Fields(patterns)
	not := func(p string) bool { return strings.HasPrefix(p, "-") && match(p[1:]) }
	return slices.ContainsFunc(fields, match) && !slices.ContainsFunc(fields, not)
}
