package mxtest
