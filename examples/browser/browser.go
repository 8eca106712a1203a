// Package browser drives the pages of this project in Debian's chromium, over the DevTools protocol. It is a module of its own, so
// that chromedp weighs on nothing else.
package browser

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// ErrMissing is returned where there is no chromium.
var ErrMissing = errors.New("browser: chromium is not installed (on Debian: apt-get install chromium)")

// patience is how long one thing in the browser may take.
const patience = 30 * time.Second

// Open starts a chromium without a window. close ends it.
func Open(ctx context.Context) (tab context.Context, close func(), err error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if path == "" {
		return nil, nil, ErrMissing
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, // as root there is no sandbox to have; it sees pages of this project only
		chromedp.Flag("disable-component-update", true), chromedp.Flag("force-device-scale-factor", "1"), chromedp.WSURLReadTimeout(patience))
	allocated, end := chromedp.NewExecAllocator(ctx, options...)
	tab, closeTab := chromedp.NewContext(allocated)
	if err := chromedp.Run(tab); err != nil {
		end()
		return nil, nil, err
	}
	return tab, func() { closeTab(); end() }, nil
}

// Do runs actions in a tab, in no more than half a minute.
func Do(tab context.Context, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// A Look is how a page is looked at.
type Look struct {
	Width, Height int
	Dark          bool
}

// The looks that pages are checked in.
var (
	Wide   = Look{Width: 1280, Height: 900}
	Narrow = Look{Width: 390, Height: 844}
)

// As sets how pages are looked at from now on.
func (l Look) As() chromedp.Action {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	return chromedp.Tasks{
		chromedp.EmulateViewport(int64(l.Width), int64(l.Height)),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	}
}
