// Package e2e holds no code, only tests: they start the real binary, on SQLite and on a real
// PostgreSQL, and look at it from outside, over HTTP and by SQL. They kill it, stop it, and take
// its database away.
package e2e
