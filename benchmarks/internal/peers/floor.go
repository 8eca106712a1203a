package peers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
)

// runFloor is what nobody could use: the groups of this library's pipelining, written from prepared octets by one goroutine a
// connection, each in one Write; of the replies only the class is looked at. There are no queue, balancing, deadlines or
// outcomes. What it takes is what the system's network and Go's net package take, so no client in Go comes below it by much.
func runFloor(_ context.Context, job Job, m *mailing) (int, error) {
	return pooled(job, m, func(take func() (string, bool)) error {
		nc, err := net.Dial("tcp", job.Address)
		if err != nil {
			return err
		}
		defer nc.Close()
		f := &floor{nc: nc, replies: bufio.NewReader(nc)}
		if err := f.open(); err != nil {
			return err
		}
		group, more := envelope(nil, take)
		if !more {
			return nil
		}
		err = f.exchange(group, "223")
		for err == nil {
			group = append(append(group[:0], m.content...), ".\r\n"...)
			if group, more = envelope(group, take); !more {
				return f.exchange(group, "2")
			}
			err = f.exchange(group, "2223")
		}
		return err
	})
}

type floor struct {
	nc      net.Conn
	replies *bufio.Reader
}

// open reads the greeting and says EHLO.
func (f *floor) open() error {
	if err := f.exchange(nil, "2"); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f.nc, "EHLO %s\r\n", LocalName); err != nil {
		return err
	}
	for {
		line, err := f.replies.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "250 ") {
			return nil
		}
	}
}

// envelope appends the commands of the next message, if there is one.
func envelope(b []byte, take func() (string, bool)) (group []byte, ok bool) {
	returnPath, ok := take()
	if !ok {
		return b, false
	}
	b = append(b, "MAIL FROM:<"...)
	b = append(b, returnPath...)
	return append(b, ">\r\nRCPT TO:<"+recipient+">\r\nDATA\r\n"...), true
}

// exchange writes a group and reads as many replies as there are classes.
func (f *floor) exchange(group []byte, classes string) error {
	if len(group) > 0 {
		if _, err := f.nc.Write(group); err != nil {
			return err
		}
	}
	for _, class := range []byte(classes) {
		line, err := f.replies.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line[0] != class {
			return fmt.Errorf("the reply %q was to be a %c", line, class)
		}
	}
	return nil
}
