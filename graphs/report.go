package graphs

// Report says what training a model comes to, read off its graph before any pass.
type Report struct {
	Parameters []ParameterUse     // in the model's order
	Operators  []OperatorUse      // sorted by name
	Missing    []*NoGradientError // nodes between a parameter and the logits that no gradient passes, in execution order
	Noise      []Place            // lookups of the word embedding that noise is added to; one is wanted
	Dropout    []Place            // dropout sites, in order
}

// ParameterUse is one parameter and the form of its gradient.
type ParameterUse struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Elements int    `json:"elements"`
	Gradient string `json:"gradient"` // "dense", "rows", or "none" where the logits do not depend on it
}

// OperatorUse is one operator and how often it stands in the graph.
type OperatorUse struct {
	Op       string `json:"operator"`
	Count    int    `json:"count"`
	Gradient string `json:"gradient"` // "rule", "marker", "missing", or why none flows
}

// Place is a value of the graph that something is added to or multiplied by.
type Place struct {
	Op    string `json:"after"`           // operator that computes it
	Near  string `json:"near"`            // nearest parameter before it
	Shape string `json:"shape"`           // symbolic
	Name  string `json:"input,omitempty"` // input that is fed there
}

// Report walks the model's graph.
func (m *Model) Report() *Report {
	g := m.Graph
	r := &Report{}
	needed := map[*Value]bool{}
	for _, v := range g.Outputs {
		needed[v] = true
	}
	active := activeValues(g.Nodes, g.Parameters, operators)
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		o := operators[n.Op]
		for _, y := range n.Outputs {
			if !needed[y] || !active[y] {
				continue
			}
			for _, x := range n.Inputs {
				needed[x] = true
			}
			if !o.differentiable() && o.marker == "" {
				r.Missing = append([]*NoGradientError{{Op: n.Op, Inputs: describe(n.Inputs)}}, r.Missing...)
			}
			break
		}
	}
	rows := rowTables(g.Nodes, g.Parameters)
	for _, p := range g.Parameters {
		use := ParameterUse{Name: p.Name, Elements: p.Shape.Product().Coef, Gradient: "dense"}
		for _, d := range p.Shape {
			use.Shape = append(use.Shape, d.Coef)
		}
		switch {
		case !needed[p]:
			use.Gradient = "none"
		case rows[p]:
			use.Gradient = "rows"
		}
		r.Parameters = append(r.Parameters, use)
	}
	counts := map[string]int{}
	for _, n := range g.Nodes {
		switch counts[n.Op]++; {
		case n.Op == "Dropout":
			r.Dropout = append(r.Dropout, place(n.Inputs[0], MaskPrefix+itoa(len(r.Dropout))))
		case n.Op == "Gather" && n.Inputs[0].Kind == Parameter && n.Inputs[0].Name == m.WordEmbedding:
			r.Noise = append(r.Noise, place(n.Outputs[0], NoiseInput))
		}
	}
	for _, op := range Operators() {
		if counts[op] > 0 {
			r.Operators = append(r.Operators, OperatorUse{op, counts[op], operators[op].state()})
		}
	}
	return r
}

// state says in a word what becomes of gradients at an operator.
func (o operator) state() string {
	switch {
	case o.differentiable():
		return "rule"
	case o.marker != "":
		return "marker"
	case o.constant != "":
		return o.constant
	}
	return "missing"
}

// place describes a value by what computes it and by the parameter that is the fewest steps before it.
func place(v *Value, input string) Place {
	p := Place{Shape: v.Shape.String(), Name: input}
	if v.Producer != nil {
		p.Op = v.Producer.Op
	}
	seen := map[*Value]bool{v: true}
	for queue := []*Value{v}; len(queue) > 0; queue = queue[1:] {
		if queue[0].Kind == Parameter {
			p.Near = queue[0].Name
			break
		}
		if queue[0].Producer == nil {
			continue
		}
		for _, x := range queue[0].Producer.Inputs {
			if x != nil && !seen[x] {
				seen[x] = true
				queue = append(queue, x)
			}
		}
	}
	return p
}
