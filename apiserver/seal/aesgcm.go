package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// saltSize is how many random bytes every message's key is derived with.
const saltSize = 32

// sealWith encrypts with AES-256-GCM under a key of its own, which HKDF-SHA256 derives from the secret and a random salt: so a
// secret may seal any number of messages, where a random nonce alone bounds them (NIST SP 800-38D: 2^32). The result is
// appended to b: salt, nonce, ciphertext, tag.
func sealWith(secret, b, at, data []byte) ([]byte, error) {
	from := len(b)
	b = append(b, make([]byte, saltSize)...)
	_, _ = rand.Read(b[from:]) // never fails: it ends the program instead
	gcm, err := derived(secret, b[from:])
	if err != nil {
		return nil, err
	}
	return gcm.Seal(b, nil, data, at), nil
}

// openWith undoes sealWith.
func openWith(secret, at, sealed []byte) ([]byte, error) {
	if len(sealed) < saltSize {
		return nil, errors.New("the row is cut short")
	}
	gcm, err := derived(secret, sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, nil, sealed[saltSize:], at)
}

func derived(secret, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, salt, "proa: row", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// aesGCM is a key of the provider aesgcm.
type aesGCM struct {
	name   string
	secret []byte // 16, 24 or 32 bytes
}

func (k *aesGCM) prefix() string { return "aesgcm:" + k.name + ":" }

func (k *aesGCM) seal(at, data []byte) ([]byte, error) {
	return sealWith(k.secret, append(make([]byte, 0, len(k.prefix())+saltSize+28+len(data)), k.prefix()...), at, data)
}

func (k *aesGCM) open(at, sealed []byte) ([]byte, bool, error) {
	data, err := openWith(k.secret, at, sealed[len(k.prefix()):])
	return data, false, err
}
