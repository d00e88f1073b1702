package loss

import (
	"fmt"
	"slices"
	"strings"
)

// Method is a fine-tuning method as the loss sees it. Methods are compared with ==.
type Method struct {
	Name       string
	Passes     int     // forward passes: 1 clean, or 2, clean then second
	Noise      bool    // the second pass reads noised embeddings; otherwise only its dropout masks differ
	TaskOnBoth bool    // the second pass carries the task loss too
	KLWeight   float64 // factor of the symmetric KL in the regulariser, before λ
	Spectral   bool    // the head's weight matrices are divided by their largest singular value; see Spectral
}

// methods is every method, in the order in which they are listed to people. The formulas are in the package comment.
var methods = [...]Method{
	{Name: "standard", Passes: 1},
	{Name: "r3f", Passes: 2, Noise: true, KLWeight: 1},
	{Name: "r4f", Passes: 2, Noise: true, KLWeight: 1, Spectral: true},
	{Name: "rdrop", Passes: 2, TaskOnBoth: true, KLWeight: 0.5},
}

// Methods returns every known method.
func Methods() []Method { return slices.Clone(methods[:]) }

// MethodByName returns the method of that name, or an error that lists the names.
func MethodByName(name string) (Method, error) {
	var names []string
	for _, m := range methods {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("unknown method %q; choose one of %s", name, strings.Join(names, ", "))
}
