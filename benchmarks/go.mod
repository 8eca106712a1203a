module github.com/mxsend/go-mxsend/benchmarks

go 1.26.0

require github.com/mxsend/go-mxsend v0.0.0

replace github.com/mxsend/go-mxsend => ../
