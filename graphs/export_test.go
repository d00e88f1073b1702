package graphs

// Differentiable reports whether the operator table holds a gradient rule.
func Differentiable(op string) bool { return operators[op].differentiable() }

// Recomputed reports whether the backward graph repeats an operator instead of saving its result.
func Recomputed(op string) bool { return operators[op].cheap }

// RowTableSize is the number of rows from which a looked-up table gets a row gradient.
const RowTableSize = rowTable

// Families returns the supported model types.
var Families = familyNames

// ParseConfig decodes and validates the content of a config.json.
var ParseConfig = parseConfig

// DistanceBucket is DeBERTa's bucket of a distance between tokens.
func DistanceBucket(buckets, positions, distance int) int {
	return debertaKeys{PositionBuckets: buckets, MaxRelativePositions: positions}.distanceBucket(distance)
}

// Line is what the operator table says of one operator.
type Line struct {
	Op, Inputs, Source, Constant, Marker, Emit string
	Since                                      int
	Rule                                       bool
}

// Lines returns the operator table, sorted by name.
func Lines() []Line {
	var out []Line
	for _, op := range Operators() {
		o := operators[op]
		out = append(out, Line{Op: op, Inputs: o.inputs, Source: o.source, Constant: o.constant, Marker: o.marker, Emit: o.emit, Since: o.since, Rule: o.differentiable()})
	}
	return out
}

// RuleOperands says which operands of n its gradient rule gives something to.
func RuleOperands(b *Builder, n *Node) []bool {
	var dys, dxs []*Value
	for i, y := range n.Outputs {
		dys = append(dys, b.Input("dy"+itoa(i), Float32, y.Shape...))
	}
	if o := operators[n.Op]; o.gradients != nil {
		dxs = o.gradients(b, n, dys)
	} else {
		dxs = o.gradient(b, n, dys[0])
	}
	out := make([]bool, len(n.Inputs))
	for i := range out {
		out[i] = i < len(dxs) && dxs[i] != nil
	}
	return out
}
