package cri

import "golang.org/x/sys/unix"

// noFollow opens what a container could have replaced: no symlink is followed, and a pipe does not block.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK
