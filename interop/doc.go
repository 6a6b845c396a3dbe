// Package interop holds tests of Parley against other implementations of
// WebSocket. It is a module of its own so that what it requires does not reach
// the users of the library.
package interop
