//go:build !unix

package mxsend

// There are no signals to stop a process by.
var faultsProcess []liveFault
