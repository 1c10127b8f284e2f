package join

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"proa/internal/atomicfile"
)

// TokenVariable names the environment variable that may hold the token, so that no list of processes shows it.
const TokenVariable = "PROA_TOKEN"

// Token is what lets a node in: the hash by which it knows the cluster's authority at first contact, and the secret by which
// the cluster knows it. Written: 64 hexadecimal digits, "::", the secret.
type Token struct {
	Authority [sha256.Size]byte // of the certificate's DER form
	Secret    string
}

const separator = "::"

// String is the token as users copy it.
func (t Token) String() string { return hex.EncodeToString(t.Authority[:]) + separator + t.Secret }

// ParseToken reads a token. Its error does not repeat the token.
func ParseToken(text string) (Token, error) {
	var t Token
	hash, secret, ok := strings.Cut(strings.TrimSpace(text), separator)
	sum, err := hex.DecodeString(hash)
	if !ok || err != nil || len(sum) != sha256.Size || secret == "" {
		return t, errors.New("the token is not one: proa token, run on the server, prints it whole")
	}
	copy(t.Authority[:], sum)
	t.Secret = secret
	return t, nil
}

// NewToken makes the token of a cluster from its authority's certificate, in PEM, and its secret.
func NewToken(authority []byte, secret string) (Token, error) {
	sum, err := hashAuthority(authority)
	return Token{Authority: sum, Secret: secret}, err
}

func (t Token) trusts(authority []byte) error {
	sum, err := hashAuthority(authority)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum[:], t.Authority[:]) != 1 {
		return fmt.Errorf("the token is of another cluster: the server's authority is %x..., the token's %x...", sum[:8], t.Authority[:8])
	}
	return nil
}

func hashAuthority(authority []byte) ([sha256.Size]byte, error) {
	block, _ := pem.Decode(authority)
	if block == nil || block.Type != "CERTIFICATE" {
		return [sha256.Size]byte{}, errors.New("read authority: it is no certificate")
	}
	return sha256.Sum256(block.Bytes), nil
}

// SecretFile is where a server keeps the secret, below its data directory.
const SecretFile = "join-token"

// OpenSecret reads the secret of the cluster in a data directory, or makes it.
func OpenSecret(dataDir string) (string, error) {
	secret, err := ReadSecret(dataDir)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("make join token: %w", err)
	}
	secret = hex.EncodeToString(random[:])
	return secret, atomicfile.Write(filepath.Join(dataDir, SecretFile), []byte(secret+"\n"), 0o600)
}

// ReadSecret reads the secret that a server made.
func ReadSecret(dataDir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, SecretFile))
	if err != nil {
		return "", fmt.Errorf("read join token: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" { // an empty secret would let everybody in
		return "", fmt.Errorf("read join token: %s is empty: remove it, and the server makes a new one", filepath.Join(dataDir, SecretFile))
	}
	return secret, nil
}
