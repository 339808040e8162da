module kubewick.dev/tests/cluster/tools/pause

go 1.24
