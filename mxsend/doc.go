package mxsend
