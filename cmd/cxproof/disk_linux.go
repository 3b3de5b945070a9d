package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errNotAllowed says that this process may not mount anything.
var errNotAllowed = errors.New("mounting is not allowed")

// mountDisk makes a folder that is a disk of its own, of a size in MiB.
func mountDisk(dir string, size int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%w: %w", errNotAllowed, err)
	}
	return err
}

func unmountDisk(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
