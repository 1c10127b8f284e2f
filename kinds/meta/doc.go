// Package meta holds the rules that all kinds share: metadata, label selectors, columns such as the age.
//
// It decides what is wrong with an object's metadata, in upstream's words, and owns nothing. The folders of the groups
// and the API server's verbs call it. All of it is pure: time is handed in. It needs nothing that could be gone.
package meta
