module kubewick.dev/benchmarks/proxy

go 1.21
