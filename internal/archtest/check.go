package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what Check needs of a package; the fields are those of go list -json.
type Package struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
	Imports    []string
}

// Violation is one chain of imports that a rule forbids.
type Violation struct {
	Rule  Rule
	Chain []string // from the package the rule speaks of to the forbidden one
}

// String gives the chain and the reason of the rule.
func (v Violation) String() string {
	return fmt.Sprintf("%s\n\tforbidden: %s", strings.Join(v.Chain, "\n\t  imports "), v.Rule.Why)
}

// Check applies the rules to the packages and gives, for each package and rule,
// one shortest forbidden chain. The order follows rules and packages.
func Check(packages []Package, rules []Rule) []Violation {
	byPath := make(map[string]Package, len(packages))
	for _, p := range packages {
		byPath[p.ImportPath] = p
	}
	var found []Violation
	for _, r := range rules {
		for _, p := range packages {
			if !matchAny(r.From, p) || matchAny(r.Except, p) {
				continue
			}
			if chain := shortest(byPath, p, r.To); chain != nil {
				found = append(found, Violation{r, chain})
			}
		}
	}
	return found
}

// shortest is a shortest chain of imports from p to a package that matches one
// of the patterns, by breadth-first search; nil if there is none. p itself
// counts only for "cgo": a rule may forbid a package its own kin otherwise.
func shortest(byPath map[string]Package, p Package, to []string) []string {
	if slices.Contains(to, "cgo") && usesCgo(p) {
		return []string{p.ImportPath, "C"}
	}
	from := map[string]string{p.ImportPath: ""}
	for queue := []string{p.ImportPath}; len(queue) > 0; queue = queue[1:] {
		for _, next := range byPath[queue[0]].Imports {
			if _, seen := from[next]; seen {
				continue
			}
			from[next] = queue[0]
			dep, known := byPath[next]
			if !known {
				dep.ImportPath = next
			}
			if matchAny(to, dep) {
				var chain []string
				for at := next; at != ""; at = from[at] {
					chain = append(chain, at)
				}
				slices.Reverse(chain)
				return chain
			}
			queue = append(queue, next)
		}
	}
	return nil
}

func matchAny(patterns []string, p Package) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, p) })
}

func match(pattern string, p Package) bool {
	if pattern == "cgo" {
		return usesCgo(p)
	}
	if rest, ok := strings.CutPrefix(pattern, "./"); ok {
		if rest == "..." {
			return p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/")
		}
		pattern = module + "/" + rest
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p.ImportPath == tree || strings.HasPrefix(p.ImportPath, tree+"/")
	}
	return p.ImportPath == pattern
}

func usesCgo(p Package) bool { return !p.Standard && len(p.CgoFiles) > 0 }
