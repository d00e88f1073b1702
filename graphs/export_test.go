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
