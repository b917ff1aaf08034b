// Modules that are read and not built: their CustomResourceDefinitions are what the chart's objects are checked against.
module notation-gatekeeper-provider/tools/crds

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
