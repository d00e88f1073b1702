package tokenize

// longestFirst returns how many tokens of two sequences of n1 and n2 tokens
// are kept within budget, taking from the longer one first (n2 is 0 for a
// single sequence):
//
//	n1+n2 ≤ budget     all;
//	short ≤ budget/2   the short one whole, the long one to fill the budget;
//	otherwise          half each, the odd token to the long one (the second if equal).
//
// Corrected here: the library takes a token from the second sequence even where
// it has just taken one from the first, down to negative lengths.
//
// Source: Hugging Face tokenizers, utils/truncation.rs. It counts all tokens of
// both sequences, as version 0.23.3 does; 0.23.1 stops counting at the limit
// and so gives the odd token to the second sequence more often.
func longestFirst(n1, n2, budget int) (int, int) {
	if n1+n2 <= budget {
		return n1, n2
	}
	if n1 > n2 {
		n2, n1 = longestFirst(n2, n1, budget)
		return n1, n2
	}
	n1 = min(n1, budget/2)
	return n1, budget - n1
}
