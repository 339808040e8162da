#!/bin/sh
# sigs.k8s.io/yaml 1.6.0, the reader of kubectl and of Kubernetes' Go clients.
# A mapping whose keys are the text "true" and YAML 1.1's boolean `yes`, which become one JSON key.
# Expected: an error, as for a key given twice, or the same value each time (the last one).
# Seen:     no error, and now the one value, now the other, from call to call in one process.
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

	"sigs.k8s.io/yaml"
)

func main() {
	seen := map[string]int{}
	for range 500 {
		read, err := yaml.YAMLToJSON([]byte("\"true\": a\nyes: b\n"))
		if err != nil {
			panic(err)
		}
		seen[string(read)]++
	}
	fmt.Println(seen)
}
GO
go mod init finding 2>/dev/null
go get sigs.k8s.io/yaml@v1.6.0 2>/dev/null
told=$(go run .)
echo "$told"
echo "$told" | grep -q '"true":"a"'
echo "$told" | grep -q '"true":"b"'
