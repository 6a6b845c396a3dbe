// Package proof holds tests of all packages together: what they promise about the world outside
// them. It exports nothing.
//
//	cut        conversations that end at every byte, in every way
//	limits     limits of a server, each tripped; docs/security.md is made of the same table
package proof
