package archtest_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/internal/archtest"
)

func Example() {
	packages := []archtest.Package{
		{ImportPath: "app/model", Imports: []string{"app/util"}},
		{ImportPath: "app/util", Imports: []string{"app/web"}},
		{ImportPath: "app/web"},
	}
	rules := []archtest.Rule{{Why: "the model knows no web", From: []string{"app/model"}, To: []string{"app/web/..."}}}
	for _, v := range archtest.Check(packages, rules) {
		fmt.Println(v)
	}
	// Output:
	// app/model
	// 	  imports app/util
	// 	  imports app/web
	// 	forbidden: the model knows no web
}
