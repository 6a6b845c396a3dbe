package main

import (
	"os"
	"path/filepath"
	"slices"
)

// profile profiles our server under a load, in a run that does not count.
func (r *report) profile(id string, t target, w work, servers []*server) error {
	i := slices.IndexFunc(servers, func(s *server) bool { return s.name == us })
	if r.profiles == "" || i < 0 {
		return nil
	}
	r.progress("profile of %s", id)
	file, err := filepath.Abs(filepath.Join(r.profiles, id+".pprof"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.profiles, 0o777); err != nil {
		return err
	}
	if err := servers[i].Call("profile", file, nil); err != nil {
		return err
	}
	w.Seconds = max(1, r.seconds)
	if _, err := r.load.once(servers[i], t, w); err != nil {
		return err
	}
	return servers[i].Call("profile", "", nil)
}
