// Package encode turns objects into bytes and bytes into objects, once.
//
// It decides which media type a request is answered in, and owns the forms of an object: protobuf without a
// resourceVersion (what the store keeps), protobuf and JSON as they go over the wire. The verbs call it, and the
// assembler hands Decoder to the store. It keeps nothing but what it caches beside a store.Item, and has nothing that
// could be gone.
//
// An object's resourceVersion is only known once its commit has a number, after its bytes are with the log. So the
// stored bytes leave it out, and every wire form adds it: protobuf's rule that a message which occurs twice is merged
// (https://protobuf.dev/programming-guides/encoding/#last-one-wins) allows a second metadata field of a few bytes behind
// the stored ones. The alternative, encoding again after the commit, would double the work and the memory.
package encode
