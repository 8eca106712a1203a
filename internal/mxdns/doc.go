package mxdns
