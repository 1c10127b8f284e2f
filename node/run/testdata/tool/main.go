// Tool is the program that the tests' containers run: a verb and what it works on.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	args := os.Args[1:]
	switch args[0] {
	case "exit": // CODE [MESSAGE]: write the termination message and exit
		if len(args) > 2 {
			os.WriteFile("/dev/termination-log", []byte(args[2]), 0o644)
		}
		code, _ := strconv.Atoi(args[1])
		os.Exit(code)
	case "once": // FILE: fail the first time
		if _, err := os.Stat(args[1]); err != nil {
			os.WriteFile(args[1], nil, 0o644)
			os.Exit(3)
		}
		wait(0)
	case "wait": // [SECONDS to linger after the signal]
		linger := 0
		if len(args) > 1 {
			linger, _ = strconv.Atoi(args[1])
		}
		wait(linger)
	case "serve": // ADDRESS
		http.ListenAndServe(args[1], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	case "print":
		for _, a := range args[1:] {
			fmt.Println(a)
		}
	case "env":
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
	case "cat":
		for _, path := range args[1:] {
			text, err := os.ReadFile(path)
			fmt.Print(string(text))
			if err != nil {
				fmt.Println(err)
			}
		}
	case "id":
		groups, _ := os.Getgroups()
		host, _ := os.Hostname()
		fmt.Println(os.Getuid(), os.Getgid(), groups, host)
	case "touch":
		if err := os.WriteFile(args[1], nil, 0o644); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func wait(linger int) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	time.Sleep(time.Duration(linger) * time.Second)
}
