// Package command is what the commands of this module have in common: their flags and what -h says.
package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Parse parses the flags of args. -h writes what the command does, and its flags, to w, and returns flag.ErrHelp; any
// other error is to be shown by the caller, on one line.
func Parse(flags *flag.FlagSet, args []string, about string, w io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(w, about, "\n\nFlags:\n")
		flags.SetOutput(w)
		flags.PrintDefaults()
	case err != nil:
		err = fmt.Errorf("%w (-h lists the flags)", err)
	}
	return err
}
