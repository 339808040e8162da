#!/bin/sh
# github.com/santhosh-tekuri/jsonschema/v6 6.0.3, which checks a chart's values in Helm 3.22.0.
# A schema with `propertyNames` below two properties; of a value only /first has a name that does not match.
# Expected: the error is at '/first', each time.
# Seen:     in most calls it is at '/second', whose names are right; `helm template` says so too. With `patternProperties`
#           and `additionalProperties: false` in place of `propertyNames` the place is right.
# Needs Go and a module proxy.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOPATH="$work/go" GOFLAGS=-modcacherw
cat > main.go <<'GO'
package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	byName    = `{"propertyNames": {"pattern": "^[a-z]+$"}}`
	byPattern = `{"patternProperties": {"^[a-z]+$": {}}, "additionalProperties": false}`
	value     = `{"first": {"WRONG": 1}, "second": {"inner": {"right": 1}}}`
)

var place = regexp.MustCompile(`(?m)^- at '([^']*)'`)

func parsed(text string) any {
	found, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return found
}

// Where 200 validations put the error.
func places(names string) map[string]int {
	compiler := jsonschema.NewCompiler()
	schema := `{"properties": {"first": ` + names + `, "second": {"properties": {"inner": ` + names + `}}}}`
	if err := compiler.AddResource("schema.json", parsed(schema)); err != nil {
		panic(err)
	}
	compiled := compiler.MustCompile("schema.json")
	seen := map[string]int{}
	for range 200 {
		seen[place.FindStringSubmatch(compiled.Validate(parsed(value)).Error())[1]]++
	}
	return seen
}

func main() {
	fmt.Println("propertyNames:", places(byName))
	fmt.Println("patternProperties:", places(byPattern))
}
GO
go mod init finding 2>/dev/null
go get github.com/santhosh-tekuri/jsonschema/v6@v6.0.3 2>/dev/null
told=$(go run .)
echo "$told"
echo "$told" | grep -q '^propertyNames: .*/second:'
echo "$told" | grep -q '^patternProperties: map\[/first:200\]$'
