package mxsend_test

import (
	"context"
	"fmt"

	"github.com/mxsend/go-mxsend/mxsend"
)

func ExampleObservers() {
	count := 0
	counting := &mxsend.Observer{Finished: func(context.Context, mxsend.Receipt, mxsend.Lane) { count++ }}
	printing := &mxsend.Observer{Finished: func(_ context.Context, r mxsend.Receipt, lane mxsend.Lane) {
		fmt.Println(r.Ref, lane, r.Count(mxsend.Accepted), "accepted")
	}}
	both := mxsend.Observers(counting, printing) // for Config.Observer

	// As the Client does, from many goroutines:
	both.Finished(context.Background(), mxsend.Receipt{Ref: "order 4711"}, mxsend.Transactional)
	fmt.Println(count)
	// Output:
	// order 4711 transactional 0 accepted
	// 1
}
