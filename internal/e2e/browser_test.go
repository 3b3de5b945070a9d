package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// pictures is the folder that screenshots of the console land in. Git ignores it.
const pictures = "../../screenshots"

// browser is the Chromium that all tests share. Each has a tab with cookies of its own.
var browser struct {
	start sync.Once
	ctx   context.Context
	stop  func() error // nil when it was not started
	err   error
}

// theBrowser starts the browser if none has. A machine without one fails the test.
func theBrowser(t testing.TB) context.Context {
	t.Helper()
	browser.start.Do(func() { browser.err = startBrowser() })
	if browser.err != nil {
		t.Fatalf("Chromium does not start (`make chromium` installs it): %v", browser.err)
	}
	return browser.ctx
}

func startBrowser() error {
	if err := os.RemoveAll(pictures); err != nil {
		return err
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	path, err := browserPath()
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(filepath.Dir(program), "chromium")),
		chromedp.NoSandbox, // containers that run as root have none
		chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1280, 900),
		chromedp.Flag("hide-scrollbars", true),
		// A page takes clicks and keys as soon as it is loaded, and not only once it was drawn.
		chromedp.Flag("allow-pre-commit-input", true),
	)
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Run(ctx); err != nil {
		release()
		return err
	}
	browser.ctx = ctx
	browser.stop = func() error {
		defer release()
		within, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return chromedp.Cancel(within)
	}
	return nil
}

// newWindow opens a window with cookies of its own, in the browser of ctx. It ends with the test.
func newWindow(t testing.TB, ctx context.Context) context.Context {
	t.Helper()
	within := cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
	cookies, err := target.CreateBrowserContext().Do(within)
	if err != nil {
		t.Fatalf("open a window: %v", err)
	}
	t.Cleanup(func() {
		if err := target.DisposeBrowserContext(cookies).Do(within); err != nil {
			t.Errorf("close a window: %v", err)
		}
	})
	// A tab by itself would need a window that is there, in a profile that has just begun.
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(cookies).WithNewWindow(true).Do(within)
	if err != nil {
		t.Fatalf("open a window: %v", err)
	}
	window, closeWindow := chromedp.NewContext(ctx, chromedp.WithTargetID(id))
	t.Cleanup(closeWindow)
	return window
}

// browserPath finds Chromium by the names that it goes by.
func browserPath() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// stopBrowser ends the browser, if it was started, when all tests are over.
func stopBrowser() error {
	if browser.stop == nil {
		return nil
	}
	if err := browser.stop(); err != nil {
		return fmt.Errorf("stop Chromium: %w", err)
	}
	return nil
}
