// Package interop tests Parley against other implementations of WebSocket. It is a
// separate module, so that its requirements do not reach the users of the library.
package interop
