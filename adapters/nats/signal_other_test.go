//go:build !unix

package natsadapter_test

func pause(p *process)  { p.t.Skip("there is no signal that stops a process") }
func resume(p *process) {}
