package tokenize

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled replaces strings by others as a SentencePiece character map says.
//
// The map is a trie in the form of a double array (Aoe 1989; Darts-clone): unit
// 0 is the root; the child of a unit at place p for byte b is at p ^ offset ^ b
// and holds b as its label; a unit that ends a string has its value at
// p ^ offset. Behind it lie the replacements, each closed by a zero byte; values
// are their places.
//
// Source: Hugging Face tokenizers, normalizers/precompiled.rs, which looks up
// whole grapheme clusters below six bytes and then takes the replacement of the
// shortest string they begin with, and single characters otherwise.
type precompiled struct {
	units        []uint32
	replacements []byte
	ascii        [utf8.RuneSelf]replacement
}

// replacement is what to put in the place of a string, if anything.
type replacement struct {
	text  []byte
	found bool
}

func newPrecompiled(s section) (normalizer, error) {
	var config struct {
		Map string `json:"precompiled_charsmap"`
	}
	if err := s.decode(&config, "precompiled_charsmap"); err != nil {
		return nil, err
	}
	s = s.at("precompiled_charsmap", nil)
	data, err := base64.StdEncoding.DecodeString(config.Map)
	if err != nil {
		return nil, s.errorf("not base64: %w", err)
	}
	return parseCharacterMap(s, data)
}

// parseCharacterMap reads a character map: the size of the trie in bytes, the
// trie, the replacements. Numbers are of four bytes, little-endian.
func parseCharacterMap(s section, data []byte) (*precompiled, error) {
	if len(data) < 4 {
		return nil, s.errorf("%d bytes, want at least 4", len(data))
	}
	size := int64(binary.LittleEndian.Uint32(data))
	data = data[4:]
	if size%4 != 0 || size == 0 || size > int64(len(data)) {
		return nil, s.errorf("a trie of %d bytes in %d bytes", size, len(data))
	}
	p := &precompiled{units: make([]uint32, size/4), replacements: data[size:]}
	if !utf8.Valid(p.replacements) {
		return nil, s.errorf("replacements are not UTF-8 text")
	}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	for c := range p.ascii {
		p.ascii[c] = p.lookUp([]byte{byte(c)})
	}
	return p, nil
}

func unitOffset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// lookUp returns the replacement of the shortest string that text begins with.
func (p *precompiled) lookUp(text []byte) replacement {
	at := unitOffset(p.units[0])
	for _, b := range text {
		at ^= uint32(b)
		if b == 0 || at >= uint32(len(p.units)) {
			break
		}
		unit := p.units[at]
		if unit&(1<<31|0xFF) != uint32(b) {
			break
		}
		at ^= unitOffset(unit)
		if unit>>8&1 == 1 {
			return p.replacement(at)
		}
	}
	return replacement{}
}

// replacement reads the replacement that the unit at a place leads to.
func (p *precompiled) replacement(at uint32) replacement {
	if at >= uint32(len(p.units)) {
		return replacement{}
	}
	start := int(p.units[at] & (1<<31 - 1))
	if start >= len(p.replacements) || !utf8.RuneStart(p.replacements[start]) {
		return replacement{}
	}
	end := start
	for end < len(p.replacements) && p.replacements[end] != 0 {
		end++
	}
	return replacement{p.replacements[start:end], true}
}

func (p *precompiled) appendNormalized(dst, text []byte) ([]byte, error) {
	for len(text) > 0 {
		r, size := rune(text[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text)
		}
		cluster := text[:size]
		if next, _ := utf8.DecodeRune(text[size:]); r == '\r' || !standsAlone(r) || len(text) > size && !standsAlone(next) {
			cluster, _, _, _ = uniseg.FirstGraphemeCluster(text, -1)
			for end := len(cluster); end < len(text); cluster = text[:end] {
				next, size := utf8.DecodeRune(text[end:])
				if !extends(next) {
					break
				}
				end += size
			}
		}
		text = text[len(cluster):]
		if len(cluster) == 1 {
			dst = p.ascii[cluster[0]].appendTo(dst, cluster)
			continue
		}
		if len(cluster) < 6 {
			if to := p.lookUp(cluster); to.found {
				dst = append(dst, to.text...)
				continue
			}
		}
		for len(cluster) > 0 {
			_, size := utf8.DecodeRune(cluster)
			dst = p.lookUp(cluster[:size]).appendTo(dst, cluster[:size])
			cluster = cluster[size:]
		}
	}
	return dst, nil
}

// appendTo appends the replacement, or the text where there is none.
func (r replacement) appendTo(dst, text []byte) []byte {
	if r.found {
		return append(dst, r.text...)
	}
	return append(dst, text...)
}

// standsAlone reports for the scripts in most use that r, between two such
// characters, is a grapheme cluster: it saves the search for the cluster's end.
func standsAlone(r rune) bool {
	return r < utf8.RuneSelf || 0xC0 <= r && r <= 0x24F || 0x370 <= r && r <= 0x482 || 0x48A <= r && r <= 0x52F ||
		0x3041 <= r && r <= 0x3096 || 0x30A1 <= r && r <= 0x30FF || 0x4E00 <= r && r <= 0x9FFF || isSyllable(r)
}
