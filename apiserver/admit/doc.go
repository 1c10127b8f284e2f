// Package admit is what stands between a decoded object and its validation: one list of steps, in order.
//
// Steps decide from a snapshot of the store and the object alone; they may change the object (Admit), refuse it
// (Admit or Validate), and claim values that only one object may hold (Claim), which are committed together with the
// object. The verbs call the chain for every write, whoever makes it. Steps own nothing.
package admit
