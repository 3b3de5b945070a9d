// Package lint holds no code, only tests: they check the files in deploy/ with the libraries of the
// programs that will read them, such as Kubernetes, Compose, BuildKit and Prometheus. It is a module of
// its own, so that cxbridge depends on none of those libraries.
package lint
