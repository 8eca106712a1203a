package verp_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/verp"
)

func Example() {
	codec, err := verp.New(verp.Config{
		Prefix: "b",
		Domain: "bounce.example.com",
		Keys:   []verp.Key{{ID: 1, Secret: []byte("32 octets of a secret, random ones")}},
		Now:    func() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	returnPath, _ := codec.Encode(verp.FromUint64(4711))
	fmt.Println(returnPath)

	token, err := codec.Decode("B+AEBSEAAAAAAAAAASM7XXXXXXXXXXXXXXXX@BOUNCE.EXAMPLE.COM")
	fmt.Println(errors.Is(err, verp.ErrForged), token.ID)

	token, err = codec.Decode(returnPath)
	id, _ := token.Uint64()
	fmt.Println(id, token.Issued.Format(time.DateOnly), err)
	// Output:
	// b+aebsgaaaaaaaaaasm7bnygz7vltbmjd7u4@bounce.example.com
	// true []
	// 4711 2026-03-14 <nil>
}

func ExampleEncodePlain() {
	returnPath, _ := verp.EncodePlain("bounce@example.com", "jane@example.net", "+=")
	fmt.Println(returnPath)
	_, recipient, _ := verp.DecodePlain(returnPath, "+=")
	fmt.Println(recipient)
	// Output:
	// bounce+jane=example.net@example.com
	// jane@example.net
}
