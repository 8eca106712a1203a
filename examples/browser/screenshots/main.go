// Screenshots makes the pictures that README shows:
//
//	cd examples/browser && go run ./screenshots -of desk -to ../relays
//	cd examples/browser && go run ./screenshots -of mailing -to ../mailing
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mxsend/go-mxsend/examples/browser"
)

func main() {
	of := flag.String("of", "desk", "`page`: desk or mailing")
	to := flag.String("to", ".", "`directory` for the pictures")
	all := flag.Bool("all", false, "every page, wide and narrow, light and dark, from top to bottom")
	play := flag.Duration("play", 4*time.Minute, "time that mail flows before")
	flag.Parse()
	make, ok := map[string]func(context.Context, string, bool, time.Duration) error{"desk": desk, "mailing": mailing}[*of]
	err := fmt.Errorf("-of %q: there are desk and mailing", *of)
	if ok {
		err = make(context.Background(), *to, *all, *play)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// A shot is a picture of a page, by its path.
type shot struct{ name, path string }

// looks are how pages are looked at, by what is put behind a picture's name.
func looks(all bool) map[string]browser.Look {
	looks := map[string]browser.Look{"": browser.Wide}
	if all {
		dark, darkNarrow := browser.Wide, browser.Narrow
		dark.Dark, darkNarrow.Dark = true, true
		looks["-narrow"], looks["-dark"], looks["-narrow-dark"] = browser.Narrow, dark, darkNarrow
	}
	return looks
}

// shoot makes pictures: of what is seen at first, or, with all, of whole pages in all looks.
func shoot(tab context.Context, url, to string, shots []shot, all bool) error {
	for suffix, look := range looks(all) {
		for _, s := range shots {
			if err := take(tab, filepath.Join(to, s.name+suffix+".png"), all, look.As(), chromedp.Navigate(url+s.path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// take makes a picture after actions.
func take(tab context.Context, file string, whole bool, actions ...chromedp.Action) error {
	var picture []byte
	capture := chromedp.CaptureScreenshot(&picture)
	if whole {
		capture = chromedp.FullScreenshot(&picture, 100)
	}
	if err := browser.Do(tab, append(actions, capture)...); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, picture, 0o644)
}
