// Package proc connects the report to the processes that it measures: servers
// in Go and on Node, and the load generator. A process reads commands from its
// standard input and answers them. Commands and answers are lines of JSON. A
// process ends when its input ends, so that none outlives the report.
package proc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A Command is a command for a process: its name, and arguments that depend on
// the name.
type Command struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

// An Answer is the answer to a Command: a value, or an error.
type Answer struct {
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

// A Handler executes a command.
type Handler func(args json.RawMessage) (any, error)

// Serve prints hello and then answers commands until the input ends.
func Serve(hello any, commands map[string]Handler) {
	out := json.NewEncoder(os.Stdout)
	out.Encode(Answer{Value: hello})
	in := json.NewDecoder(os.Stdin)
	for {
		var c Command
		if in.Decode(&c) != nil {
			return
		}
		out.Encode(answer(c, commands))
	}
}

func answer(c Command, commands map[string]Handler) Answer {
	do := commands[c.Name]
	if do == nil {
		return Answer{Error: "no such command: " + c.Name}
	}
	v, err := do(c.Args)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	return Answer{Value: v}
}

// A Process is a running process. Its methods are for one goroutine at a time.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start runs a program and decodes its hello. The program's standard error goes
// to ours.
func Start(hello any, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.receive(hello); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// Call sends a command and decodes the answer's value into reply, which may be
// nil.
func (p *Process) Call(command string, args, reply any) error {
	octets, err := json.Marshal(args)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(p.in).Encode(Command{Name: command, Args: octets}); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if err := p.receive(reply); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

func (p *Process) receive(reply any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the process said nothing: %w", err)
	}
	a := Answer{Value: reply}
	if err := json.Unmarshal(line, &a); err != nil {
		return fmt.Errorf("the process said %q: %w", line, err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop closes the input of the process and then kills the process, so that it
// can't hold up the report.
func (p *Process) Stop() {
	p.in.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
