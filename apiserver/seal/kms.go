package seal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/uuid"
	kmsv2 "k8s.io/kms/apis/v2"
)

// kms seals with keys that a plug-in encrypts (KMS v2, KEP-3299). One data key is made when the plug-in is first asked, and again
// when the plug-in's own key has changed; rows carry it in encrypted form:
//
//	"kms:" name ":" length(uvarint) DecryptRequest(protobuf) salt nonce ciphertext tag
//
// So the plug-in is asked once for each data key, not for each row, and not at all by reads and writes of a store that is open.
// A Follower looks whether its key has changed.
type kms struct {
	name    string
	timeout time.Duration
	conn    *grpc.ClientConn
	plugin  kmsv2.KeyManagementServiceClient

	current atomic.Pointer[dataKey] // writes

	mu struct {
		sync.Mutex
		known map[[sha256.Size]byte]dataKey // by the hash of the DecryptRequest
	}
}

// dataKey is a key and the form in which rows carry it.
type dataKey struct {
	secret []byte
	header []byte // an encoded DecryptRequest
	keyID  string
}

const (
	kmsVersion     = "v2"
	kmsVersionOld  = "v2beta1"
	mostKeyID      = 1 << 10
	mostCiphertext = 1 << 10
	mostAnnotation = 32 << 10
)

// asksAgain is gRPC's service configuration for a plug-in. A call that was under way when the plug-in was restarted is made again, on
// the next connection: to ask for a status, to encrypt and to decrypt change nothing, so twice is as good as once.
const asksAgain = `{"methodConfig": [{"name": [{}], "waitForReady": true, "retryPolicy": {"maxAttempts": 5,
	"initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// openKMS connects to a plug-in and has it encrypt a data key.
func openKMS(ctx context.Context, c *kmsConfiguration) (*kms, error) {
	conn, err := grpc.NewClient(strings.Replace(c.Endpoint, "unix://@", "unix-abstract:", 1),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(asksAgain), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Endpoint, err)
	}
	k := &kms{name: c.Name, timeout: defaultTimeout, conn: conn, plugin: kmsv2.NewKeyManagementServiceClient(conn)}
	if c.Timeout != nil {
		k.timeout = c.Timeout.Duration
	}
	k.mu.known = map[[sha256.Size]byte]dataKey{}
	if err := k.refresh(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return k, nil
}

// refresh makes a new data key if the plug-in has another key than the one that it encrypted the last data key with.
func (k *kms) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	id, err := k.keyID(ctx)
	if err != nil {
		return err
	}
	if current := k.current.Load(); current != nil && current.keyID == id {
		return nil
	}
	key, err := k.makeKey(ctx)
	if err != nil {
		return err
	}
	k.current.Store(&key)
	return nil
}

func (k *kms) prefix() string { return "kms:" + k.name + ":" }

// keyID is the name of the plug-in's own key of this moment.
func (k *kms) keyID(ctx context.Context) (string, error) {
	status, err := k.plugin.Status(ctx, &kmsv2.StatusRequest{})
	if err != nil {
		return "", fmt.Errorf("ask the plug-in for its status: %w", err)
	}
	if status.Version != kmsVersion && status.Version != kmsVersionOld {
		return "", fmt.Errorf("the plug-in speaks version %q, expected %s", status.Version, kmsVersion)
	}
	if status.Healthz != "ok" {
		return "", fmt.Errorf("the plug-in is not well: %s", status.Healthz)
	}
	return status.KeyId, nil
}

// makeKey makes a data key under that key.
func (k *kms) makeKey(ctx context.Context) (dataKey, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: it ends the program instead
	encrypted, err := k.plugin.Encrypt(ctx, &kmsv2.EncryptRequest{Plaintext: secret, Uid: string(uuid.NewUUID())})
	if err != nil {
		return dataKey{}, fmt.Errorf("have the plug-in encrypt a key: %w", err)
	}
	if err := checkEncrypted(encrypted); err != nil {
		return dataKey{}, err
	}
	header, err := proto.MarshalOptions{Deterministic: true}.Marshal(&kmsv2.DecryptRequest{
		Ciphertext: encrypted.Ciphertext, KeyId: encrypted.KeyId, Annotations: encrypted.Annotations})
	if err != nil {
		return dataKey{}, fmt.Errorf("encode the encrypted key: %w", err)
	}
	key := dataKey{secret: secret, header: header, keyID: encrypted.KeyId}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.known[sha256.Sum256(header)] = key
	return key, nil
}

// checkEncrypted holds a plug-in to the bounds of the protocol.
func checkEncrypted(r *kmsv2.EncryptResponse) error {
	annotations := 0
	for name, value := range r.Annotations {
		annotations += len(name) + len(value)
	}
	switch {
	case len(r.Ciphertext) == 0 || len(r.Ciphertext) > mostCiphertext:
		return fmt.Errorf("the plug-in's ciphertext has %d bytes, expected 1 to %d", len(r.Ciphertext), mostCiphertext)
	case r.KeyId == "" || len(r.KeyId) > mostKeyID:
		return fmt.Errorf("the plug-in's key ID has %d bytes, expected 1 to %d", len(r.KeyId), mostKeyID)
	case annotations > mostAnnotation:
		return fmt.Errorf("the plug-in's annotations have %d bytes, expected at most %d", annotations, mostAnnotation)
	}
	return nil
}

func (k *kms) seal(at, data []byte) ([]byte, error) {
	current := k.current.Load()
	header := current.header
	b := make([]byte, 0, len(k.prefix())+binary.MaxVarintLen32+len(header)+saltSize+28+len(data))
	b = append(b, k.prefix()...)
	b = binary.AppendUvarint(b, uint64(len(header)))
	b = append(b, header...)
	return sealWith(current.secret, b, at, data)
}

// open finds a row stale that was sealed under another of the plug-in's keys than the one that writes.
func (k *kms) open(at, sealed []byte) ([]byte, bool, error) {
	sealed = sealed[len(k.prefix()):]
	size, n := binary.Uvarint(sealed)
	if n <= 0 || size > uint64(len(sealed)-n) {
		return nil, false, errors.New("the row is cut short")
	}
	header, sealed := sealed[n:n+int(size)], sealed[n+int(size):]
	key, err := k.key(header)
	if err != nil {
		return nil, false, err
	}
	data, err := openWith(key.secret, at, sealed)
	return data, key.keyID != k.current.Load().keyID, err
}

// key has the plug-in decrypt a data key, once.
func (k *kms) key(header []byte) (dataKey, error) {
	sum := sha256.Sum256(header)
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.mu.known[sum]; ok {
		return key, nil
	}
	var request kmsv2.DecryptRequest
	if err := proto.Unmarshal(header, &request); err != nil {
		return dataKey{}, fmt.Errorf("read the encrypted key: %w", err)
	}
	request.Uid = string(uuid.NewUUID())
	ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
	defer cancel()
	answer, err := k.plugin.Decrypt(ctx, &request)
	if err != nil {
		return dataKey{}, fmt.Errorf("have the plug-in decrypt a key of %q: %w", request.KeyId, err)
	}
	key := dataKey{secret: answer.Plaintext, header: header, keyID: request.KeyId}
	k.mu.known[sum] = key
	return key, nil
}
