package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"golang.org/x/crypto/nacl/secretbox"
)

const boxNonce = 24

// box is a key of the provider secretbox (XSalsa20 and Poly1305). A box takes no additional data, so what a row is bound to goes
// into it as a hash.
type box struct {
	name   string
	secret [32]byte
}

func (k *box) prefix() string { return "secretbox:" + k.name + ":" }

func (k *box) seal(at, data []byte) ([]byte, error) {
	var nonce [boxNonce]byte
	_, _ = rand.Read(nonce[:]) // never fails: it ends the program instead
	bound := sha256.Sum256(at)
	sealed := append([]byte(k.prefix()), nonce[:]...)
	return secretbox.Seal(sealed, append(bound[:], data...), &nonce, &k.secret), nil
}

func (k *box) open(at, sealed []byte) ([]byte, bool, error) {
	sealed = sealed[len(k.prefix()):]
	if len(sealed) < boxNonce {
		return nil, false, errors.New("the row is cut short")
	}
	opened, ok := secretbox.Open(nil, sealed[boxNonce:], (*[boxNonce]byte)(sealed), &k.secret)
	if !ok || len(opened) < sha256.Size {
		return nil, false, errors.New("message authentication failed")
	}
	bound := sha256.Sum256(at)
	if subtle.ConstantTimeCompare(bound[:], opened[:sha256.Size]) != 1 {
		return nil, false, errors.New("the row was sealed for another place")
	}
	return opened[sha256.Size:], false, nil
}
