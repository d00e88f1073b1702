package rng

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// label separates this package's keys from any other use of SHA-256 on the same data; the number changes if a
// stream's bytes ever do.
const label = "r3f-ort/rng/1"

// bufferSize is the number of bytes made at a time for small requests: a part of a first-level cache, and enough
// for the cipher to run at full speed.
const bufferSize = 4096

// Stream is the random sequence of one key (seed, step, stream name). It implements [rand.Source].
//
// Every method consumes the next bytes of the same sequence, so that a sequence of calls gives a sequence of values
// determined by the key alone. A Stream is not safe for concurrent use; make one per goroutine, each with its own
// name.
type Stream struct {
	seed  uint64
	block cipher.Block
	ctr   cipher.Stream
	rand  *rand.Rand // the distributions of math/rand/v2 over this stream
	next  int        // first unread byte of buf
	buf   [bufferSize]byte
	word  [8]byte           // an integer that straddles two buffers
	hash  [sha256.Size]byte // begins with the IV
}

// New returns the stream of the key (seed, step, stream). The name is usually that of the tensor to fill.
func New(seed, step uint64, stream string) *Stream {
	s := new(Stream)
	s.rand = rand.New(s)
	s.setSeed(seed)
	s.Reset(seed, step, stream)
	return s
}

// Reset makes s the stream of another key, as [New] would return it, and keeps its buffer. It allocates nothing but
// the cipher state of crypto/cipher (about half a kilobyte).
func (s *Stream) Reset(seed, step uint64, stream string) {
	if seed != s.seed {
		s.setSeed(seed)
	}
	var scratch [128]byte
	text := append(scratch[:0], label...)
	text = binary.LittleEndian.AppendUint64(text, step)
	s.hash = sha256.Sum256(append(text, stream...))
	s.ctr = cipher.NewCTR(s.block, s.hash[:aes.BlockSize])
	s.next = len(s.buf)
}

func (s *Stream) setSeed(seed uint64) {
	key := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(label), seed))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // unreachable: 16 is a key size of AES
	}
	s.seed, s.block = seed, block
}

// Fill sets dst to the next len(dst) bytes of the stream.
func (s *Stream) Fill(dst []byte) {
	n := copy(dst, s.buf[s.next:])
	s.next += n
	dst = dst[n:]
	if len(dst) >= len(s.buf) {
		s.generate(dst)
		return
	}
	if len(dst) > 0 {
		s.generate(s.buf[:])
		s.next = copy(dst, s.buf[:])
	}
}

// Uint64 returns the next 8 bytes of the stream as a little-endian integer.
func (s *Stream) Uint64() uint64 {
	if s.next+8 <= len(s.buf) {
		s.next += 8
		return binary.LittleEndian.Uint64(s.buf[s.next-8:])
	}
	s.Fill(s.word[:])
	return binary.LittleEndian.Uint64(s.word[:])
}

// uint32 returns the next 4 bytes of the stream as a little-endian integer.
func (s *Stream) uint32() uint32 {
	if s.next+4 <= len(s.buf) {
		s.next += 4
		return binary.LittleEndian.Uint32(s.buf[s.next-4:])
	}
	s.Fill(s.word[:4])
	return binary.LittleEndian.Uint32(s.word[:4])
}

// generate sets dst to the cipher's next len(dst) bytes.
func (s *Stream) generate(dst []byte) {
	clear(dst)
	s.ctr.XORKeyStream(dst, dst)
}
