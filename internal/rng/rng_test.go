package rng_test

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/rng"
)

var _ rand.Source = (*rng.Stream)(nil)

// reference computes the first n bytes of a stream block by block, from the formula in the package comment.
func reference(t *testing.T, seed, step uint64, stream string, n int) []byte {
	t.Helper()
	key := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("r3f-ort/rng/1"), seed))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		t.Fatal(err)
	}
	text := binary.LittleEndian.AppendUint64([]byte("r3f-ort/rng/1"), step)
	iv := sha256.Sum256(append(text, stream...))
	hi, lo := binary.BigEndian.Uint64(iv[:8]), binary.BigEndian.Uint64(iv[8:16])
	var out []byte
	for len(out) < n {
		var counter, cipherText [16]byte
		binary.BigEndian.PutUint64(counter[:8], hi)
		binary.BigEndian.PutUint64(counter[8:], lo)
		block.Encrypt(cipherText[:], counter[:])
		out = append(out, cipherText[:]...)
		if lo++; lo == 0 {
			hi++
		}
	}
	return out[:n]
}

// golden is the beginning of stream (42, 3, "noise") by another program, OpenSSL 3:
//
//	le() { printf '%016x' $1 | tac -rs .. ; }
//	K=$( (printf r3f-ort/rng/1; le 42 | xxd -r -p) | sha256sum | cut -c1-32)
//	IV=$( (printf r3f-ort/rng/1; le 3 | xxd -r -p; printf noise) | sha256sum | cut -c1-32)
//	head -c 48 /dev/zero | openssl enc -aes-128-ctr -K $K -iv $IV | xxd -p -c 48
const golden = "067035f70a3bce419e0dd899fa1d8a5fb523dce7c6ad2d4a7fa1433c18d7dd3f41be08987174c82eef24bedb70765743"

func TestGolden(t *testing.T) {
	got := make([]byte, 48)
	rng.New(42, 3, "noise").Fill(got)
	if hex.EncodeToString(got) != golden {
		t.Errorf("got %x, want %s", got, golden)
	}
}

func TestBytesFollowTheFormula(t *testing.T) {
	for _, key := range []struct {
		seed, step uint64
		stream     string
	}{{0, 0, ""}, {1, 0, "noise"}, {1, 1, "noise"}, {1<<64 - 1, 1<<64 - 1, string(make([]byte, 500))}} {
		want := reference(t, key.seed, key.step, key.stream, 20000)
		got := make([]byte, len(want))
		rng.New(key.seed, key.step, key.stream).Fill(got)
		if !bytes.Equal(got, want) {
			t.Errorf("%d/%d/%.20q: bytes differ from AES-CTR made block by block", key.seed, key.step, key.stream)
		}
	}
}

// However a stream is read, it yields the same bytes.
func TestReadingInPieces(t *testing.T) {
	want := reference(t, 7, 3, "pieces", 100000)
	r := rand.New(rand.NewPCG(1, 2))
	s := rng.New(7, 3, "pieces")
	for at := 0; at < len(want)-9000; {
		if r.IntN(2) == 0 {
			got, expect := s.Uint64(), binary.LittleEndian.Uint64(want[at:])
			if got != expect {
				t.Fatalf("Uint64 at byte %d: %x, want %x", at, got, expect)
			}
			at += 8
			continue
		}
		piece := make([]byte, r.IntN(9000)>>r.IntN(12))
		s.Fill(piece)
		if !bytes.Equal(piece, want[at:at+len(piece)]) {
			t.Fatalf("Fill(%d bytes) at byte %d differs", len(piece), at)
		}
		at += len(piece)
	}
}

func TestResetEqualsNew(t *testing.T) {
	s := rng.New(1, 1, "a")
	for _, seed := range []uint64{1, 2, 1} {
		s.Fill(make([]byte, 1001))
		s.Reset(seed, 9, "b")
		if got, want := s.Uint64(), rng.New(seed, 9, "b").Uint64(); got != want {
			t.Errorf("seed %d: first word after Reset is %x, of New %x", seed, got, want)
		}
	}
}

// Streams whose keys differ in one part share no 8-byte word among their first 100,000 (a chance of 2⁻²⁸), and agree
// in about half of all bits.
func TestStreamsAreIndependent(t *testing.T) {
	const n = 100000
	streams := map[string]*rng.Stream{
		"base": rng.New(1, 1, "noise"), "seed": rng.New(2, 1, "noise"), "step": rng.New(1, 2, "noise"),
		"name": rng.New(1, 1, "noise2"), "swapped": rng.New(1, 1, "esion"),
	}
	seen := map[uint64]string{}
	base := make([]uint64, n)
	for _, name := range []string{"base", "seed", "step", "name", "swapped"} {
		differ := 0
		for i := range base {
			x := streams[name].Uint64()
			if other, found := seen[x]; found {
				t.Fatalf("word %d of %s occurs in %s", i, name, other)
			}
			seen[x] = name
			if name == "base" {
				base[i] = x
			}
			differ += bits.OnesCount64(x ^ base[i])
		}
		if name == "base" {
			continue
		}
		// Binomial(64n, ½): standard deviation 4·√n.
		if z := (float64(differ) - 32*n) / (4 * 316.23); z < -5 || z > 5 {
			t.Errorf("%s: bits differing from base are %.1f standard deviations from half", name, z)
		}
	}
}

func TestPerm(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		p := rng.New(5, 0, "order").Perm(n)
		if again := rng.New(5, 0, "order").Perm(n); !slices.Equal(p, again) {
			t.Errorf("n=%d: the same key gave two permutations", n)
		}
		if n == 1000 && slices.IsSorted(p) {
			t.Error("1000 elements stayed in order")
		}
		slices.Sort(p)
		for i, v := range p {
			if v != i {
				t.Fatalf("n=%d: not a permutation", n)
			}
		}
	}
}

// Each of the 24 orders of 4 elements comes up equally often: χ² with 23 degrees of freedom, 5 sigma.
func TestPermIsUniform(t *testing.T) {
	s := rng.New(5, 0, "orders")
	counts := map[[4]int]float64{}
	const trials = 48000
	for range trials {
		counts[[4]int(s.Perm(4))]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += (c - trials/24) * (c - trials/24) / (trials / 24)
	}
	if limit := 23 + 5*6.78; len(counts) != 24 || chi > limit {
		t.Errorf("%d orders, χ² = %.1f, want 24 and at most %.1f", len(counts), chi, limit)
	}
}

func TestNoAllocations(t *testing.T) {
	s := rng.New(1, 1, "allocations")
	f, m := make([]float32, 10001), make([]uint8, 10001)
	for name, draw := range map[string]func(){
		"Fill": func() { s.Fill(m) }, "Uint64": func() { s.Uint64() }, "Mask": func() { s.Mask(m, 0.1) },
		"Uniform32": func() { s.Uniform32(f, 1) }, "Normal32": func() { s.Normal32(f, 1) },
	} {
		if n := testing.AllocsPerRun(50, draw); n != 0 {
			t.Errorf("%s allocates %v times a call", name, n)
		}
	}
	if n := testing.AllocsPerRun(50, func() { s.Reset(1, 2, "encoder.layer.11.output.dense") }); n > 1 {
		t.Errorf("Reset allocates %v times, want the cipher state only", n)
	}
}
