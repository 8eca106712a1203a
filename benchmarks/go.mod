module github.com/mxsend/go-mxsend/benchmarks

go 1.26.0

require (
	github.com/emersion/go-msgauth v0.7.0
	github.com/mxsend/go-mxsend v0.0.0
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/mxsend/go-mxsend => ../
