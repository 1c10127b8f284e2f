// Command tool is what the scripts put into containers that need more than the example application: it does what the name
// it is called by says.
//
//	get [-k] [-ca FILE] [-H HEADER] URL   prints what the URL answers, and fails unless it is 200; -k trusts any server,
//	                                      -ca those that FILE vouches for
//	cat [FILE]                            copies a file, or its input, to its output
//	tar cf - FILE                         the two forms of tar that kubectl cp uses
//	tar -xmf - -C DIR
//	hold                                  does nothing until it is told to stop
//	eat MEBIBYTES                         takes memory, and holds it
//	fill FILE MEBIBYTES                   writes a file, and holds
package main

import (
	"archive/tar"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	verbs := map[string]func([]string) error{"get": get, "cat": cat, "tar": archive, "hold": hold, "eat": eat, "fill": fill}
	run := verbs[filepath.Base(os.Args[0])]
	if run == nil {
		fmt.Fprintln(os.Stderr, "tool: called by no name it knows: "+os.Args[0])
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get(args []string) error {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	trusting := flags.Bool("k", false, "")
	authority := flags.String("ca", "", "FILE")
	header := flags.String("H", "", "NAME: VALUE")
	if err := flags.Parse(args); err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodGet, flags.Arg(0), nil)
	if err != nil {
		return err
	}
	if name, value, ok := strings.Cut(*header, ": "); ok && name == "Host" {
		req.Host = value
	} else if ok {
		req.Header.Set(name, value)
	}
	trust := &tls.Config{InsecureSkipVerify: *trusting, ServerName: req.Host}
	if *authority != "" {
		certificate, err := os.ReadFile(*authority)
		if err != nil {
			return err
		}
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM(certificate)
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: trust}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func cat(args []string) error {
	in := os.Stdin
	if len(args) > 0 {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	_, err := io.Copy(os.Stdout, in)
	return err
}

func archive(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "cf":
		return pack(args[2])
	case len(args) == 4 && args[0] == "-xmf":
		return unpack(args[3])
	}
	return fmt.Errorf("tar does not know %q", args)
}

// pack writes one file as an archive to the output.
func pack(name string) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	w := tar.NewWriter(os.Stdout)
	if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}

// unpack writes the files of the archive on the input below a folder.
func unpack(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r := tar.NewReader(os.Stdin)
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		f, err := root.Create(head.Name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, r); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
}

func hold([]string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	return nil
}

func eat(args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var eaten [][]byte
	for range size {
		bite := make([]byte, 1<<20)
		for i := 0; i < len(bite); i += os.Getpagesize() {
			bite[i] = 1
		}
		eaten = append(eaten, bite)
	}
	fmt.Println("ate", len(eaten))
	err = hold(nil)
	runtime.KeepAlive(eaten)
	return err
}

func fill(args []string) error {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for range size {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	fmt.Println("wrote", size)
	return hold(nil)
}
