package memnet_test

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

func Example() {
	n := memnet.New(memnet.Config{})
	l, err := n.Listen("tcp", "192.0.2.25:25")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		relay, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(relay, "220 a.relay.example\r\n")
		relay.Close()
	}()

	conn, err := n.Dial(context.Background(), "tcp", "192.0.2.25:25")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	greeting, _ := bufio.NewReader(conn).ReadString('\n')
	fmt.Printf("%v says %q\n", conn.RemoteAddr(), greeting)

	n.SetHost("192.0.2.25", memnet.Refuse)
	_, err = n.Dial(context.Background(), "tcp", "192.0.2.25:25")
	fmt.Println(err)
	// Output:
	// 192.0.2.25:25 says "220 a.relay.example\r\n"
	// dial tcp 192.0.2.25:25: connect: connection refused
}
