package tokenize

import (
	"bytes"
	"slices"
	"strings"
)

// trie is a set of byte strings with a value each, for prefix search. The
// children of a node lie side by side, ordered by their bytes, so that a step
// down is one search of a few bytes in one place.
type trie struct {
	root   [256]int32 // node of the first byte; 0 for none
	nodes  []trieNode
	labels []byte // byte that leads to each node
}

type trieNode struct {
	children int32 // the first
	count    int32
	value    int32 // of the string that ends here; none otherwise
}

// none is the value of a node at which no string ends.
const none = -1

// entry is a string of a trie and its value, not negative.
type entry struct {
	key   string
	value int32
}

// newTrie builds a trie. Of equal keys the last counts; the empty key does not.
func newTrie(entries []entry) *trie {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	// Node 0 is above the root, so that 0 can mean "no node".
	t := &trie{nodes: []trieNode{{value: none}}, labels: []byte{0}}
	type task struct {
		node   int32
		lo, hi int // entries below node
		depth  int // bytes they share
	}
	tasks := []task{{0, 0, len(entries), 0}}
	for len(tasks) > 0 { // breadth first: the children of a node follow each other
		at := tasks[0]
		tasks = tasks[1:]
		lo := at.lo
		for lo < at.hi && len(entries[lo].key) == at.depth {
			t.nodes[at.node].value = entries[lo].value
			lo++
		}
		t.nodes[at.node].children = int32(len(t.nodes))
		for lo < at.hi {
			label := entries[lo].key[at.depth]
			hi := lo + 1
			for hi < at.hi && entries[hi].key[at.depth] == label {
				hi++
			}
			child := int32(len(t.nodes))
			t.nodes = append(t.nodes, trieNode{value: none})
			t.labels = append(t.labels, label)
			t.nodes[at.node].count++
			if at.depth == 0 {
				t.root[label] = child
			}
			tasks = append(tasks, task{child, lo, hi, at.depth + 1})
			lo = hi
		}
	}
	return t
}

// step returns the child of a node that b leads to, or 0.
func (t *trie) step(node int32, b byte) int32 {
	n := &t.nodes[node]
	labels := t.labels[n.children : n.children+n.count]
	if len(labels) == 1 {
		if labels[0] == b {
			return n.children
		}
		return 0
	}
	if i := bytes.IndexByte(labels, b); i >= 0 {
		return n.children + int32(i)
	}
	return 0
}

// longest returns the length and value of the longest string text begins with;
// its length is 0 where there is none.
func (t *trie) longest(text []byte) (length int, value int32) {
	if len(text) == 0 {
		return 0, none
	}
	node := t.root[text[0]]
	for i := 1; node != 0; i++ {
		if v := t.nodes[node].value; v != none {
			length, value = i, v
		}
		if i == len(text) {
			break
		}
		node = t.step(node, text[i])
	}
	return length, value
}
