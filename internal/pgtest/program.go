package pgtest

import "path/filepath"

// Program returns the path of a program of PostgreSQL, such as pg_dump, of the version that Start runs.
func Program(name string) (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	return filepath.Join(bin, name), nil
}
