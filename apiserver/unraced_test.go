//go:build !race

package apiserver_test

const raced = false
