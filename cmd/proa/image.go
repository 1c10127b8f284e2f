package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"proa/daemon"
	nodeimage "proa/node/image"
)

func image() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Build, load, list and remove the images of this machine's nodes"}
	cmd.AddCommand(imageBuild(), imageLoad(), imageList(), imageRemove())
	return cmd
}

func imageBuild() *cobra.Command {
	var o options
	var tag string
	var made nodeimage.Options
	cmd := &cobra.Command{
		Use:   "build DIR -t NAME",
		Short: "Build an image of a Go main package, or of a directory that becomes the root file system",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := daemon.OpenImages(&o.config)
			if err != nil {
				return err
			}
			name, err := images.Build(cmd.Context(), args[0], tag, made)
			if err != nil {
				return err
			}
			fmt.Println("built", name)
			return nil
		},
	}
	o.dataDir(cmd)
	f := cmd.Flags()
	f.StringVarP(&tag, "tag", "t", "", "name of the image, such as web:1")
	f.StringSliceVar(&made.Entrypoint, "entrypoint", nil, "what is run (default of a Go package: the program)")
	f.StringSliceVar(&made.Cmd, "cmd", nil, "its default arguments")
	f.StringSliceVar(&made.Env, "env", nil, "environment, KEY=VALUE")
	f.StringVar(&made.User, "user", "", "user that runs it, UID[:GID]")
	f.StringVar(&made.WorkDir, "workdir", "", "working directory")
	f.StringSliceVar(&made.Ports, "port", nil, "port that it listens on, such as 8080/tcp")
	if err := cmd.MarkFlagRequired("tag"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func imageLoad() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "Load the images of a tar file, as docker save or an OCI layout makes it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := daemon.OpenImages(&o.config)
			if err != nil {
				return err
			}
			names, err := images.Load(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for _, name := range names {
				fmt.Println("loaded", name)
			}
			return nil
		},
	}
	o.dataDir(cmd)
	return cmd
}

func imageList() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the images that pods of this node can use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			images, err := daemon.OpenImages(&o.config)
			if err != nil {
				return err
			}
			list, err := images.List(cmd.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', 0)
			fmt.Fprintln(w, "IMAGE\tID\tSIZE")
			for _, i := range list {
				fmt.Fprintf(w, "%s\t%s\t%.1f MB\n", strings.Join(append(i.Tags, i.Digests[min(len(i.Tags), len(i.Digests)):]...), " "), shortID(i.ID), float64(i.Size)/1e6)
			}
			return w.Flush()
		},
	}
	o.dataDir(cmd)
	return cmd
}

func imageRemove() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove images from this machine's nodes; containers that run keep what they have",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := daemon.OpenImages(&o.config)
			if err != nil {
				return err
			}
			for _, arg := range args {
				removed, err := images.Remove(cmd.Context(), arg)
				if err != nil {
					return err
				}
				if !removed {
					return fmt.Errorf("no image %s: proa image ls lists them", arg)
				}
				fmt.Println("removed", arg)
			}
			return nil
		},
	}
	o.dataDir(cmd)
	return cmd
}

// shortID is the start of a digest, as image tools show it.
func shortID(id string) string {
	_, hex, _ := strings.Cut(id, ":")
	return hex[:min(12, len(hex))]
}
