//go:build race

package apiserver_test

// raced: the race detector is on. What it does to a program takes more memory than what the program does.
const raced = true
