// Process 1 of the image: starts one program, hands signals on to it, and reaps every process that is left to it.
//
// Node waits for its own children alone. What those leave behind, a plugin of a run that was killed, would stay a zombie
// for as long as the container lives, and count against its limit of processes.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// PR_SET_CHILD_SUBREAPER of prctl(2): orphans come here even where this is not process 1.
const setChildSubreaper = 36

// usage is the exit code for a program that was not given or cannot be started, as shells have it.
const usage = 127

func main() {
	if len(os.Args) < 2 || os.Args[1][0] != '/' {
		fail("usage: reaper /program [arguments]")
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		fail("prctl: " + errno.Error())
	}
	// Before the start, so that no signal comes too early.
	signals := make(chan os.Signal, 32)
	signal.Notify(signals)
	program, err := syscall.ForkExec(os.Args[1], os.Args[1:], &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		fail(os.Args[1] + ": " + err.Error())
	}
	go forward(signals, program)
	os.Exit(reap(program))
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(usage)
}

// forward hands signals on, but for those that are about this process: its children, and the scheduler of Go.
func forward(signals <-chan os.Signal, program int) {
	for received := range signals {
		number, isNumber := received.(syscall.Signal)
		if !isNumber || number == syscall.SIGCHLD || number == syscall.SIGURG {
			continue
		}
		// It may have ended just now; then there is nobody to tell.
		_ = syscall.Kill(program, number)
	}
}

// reap waits for whatever ends until the program itself does, and returns the exit code that says how.
func reap(program int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fail("wait4: " + err.Error())
		case ended != program:
		case status.Signaled():
			return 128 + int(status.Signal())
		case status.Exited():
			return status.ExitStatus()
		}
	}
}
