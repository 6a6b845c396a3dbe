//go:build !unix

package conn

// passing are errors of Accept that pass and that package net does not take for
// such.
var passing []error
