package eval

// Tensor is a dense row-major array. Integers, bytes and booleans (0 and 1) are held as float64 too.
type Tensor struct {
	Shape []int
	Data  []float64
}

// zeros returns a tensor of the given shape filled with 0.
func zeros(shape []int) Tensor {
	return Tensor{Shape: append([]int{}, shape...), Data: make([]float64, product(shape))}
}

// product is the number of elements of a shape.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// offset is the place of index in the data. A dimension of size 1 is read at 0 whatever the index says, and
// leading indices that the tensor has no dimension for are skipped: that is ONNX broadcasting.
func (t *Tensor) offset(index []int) int {
	k := 0
	lead := len(index) - len(t.Shape)
	for i, d := range t.Shape {
		j := index[lead+i]
		if d == 1 {
			j = 0
		}
		k = k*d + j
	}
	return k
}

// at returns the element at index, with broadcasting.
func (t *Tensor) at(index []int) float64 { return t.Data[t.offset(index)] }

// each calls visit with every index of a shape in row-major order; index is reused between calls.
func each(shape []int, visit func(index []int)) {
	index := make([]int, len(shape))
	for range product(shape) {
		visit(index)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
}

// lane is the elements of a tensor along one axis, all other indices fixed: start, start+step, …
type lane struct{ start, step, length int }

// lanes lists the lanes of a shape along axis, in row-major order of the other indices.
func lanes(shape []int, axis int) []lane {
	inner := product(shape[axis+1:])
	var out []lane
	for o := range product(shape[:axis]) {
		for i := range inner {
			out = append(out, lane{start: o*shape[axis]*inner + i, step: inner, length: shape[axis]})
		}
	}
	return out
}

// of returns the lane's elements in data.
func (l lane) of(data []float64) []float64 {
	out := make([]float64, l.length)
	for i := range out {
		out[i] = data[l.start+i*l.step]
	}
	return out
}

// put writes values to the lane's places in data.
func (l lane) put(data, values []float64) {
	for i, v := range values {
		data[l.start+i*l.step] = v
	}
}
