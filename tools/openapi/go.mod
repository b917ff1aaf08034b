// Modules that are read and not built: of each Kubernetes that the chart is checked against, the description of its API. The oldest is the one that the
// chart asks for, the newest the one that tools/kube builds. A module graph holds one version of a module, so each has a name of its own.
module notation-gatekeeper-provider/tools/openapi

go 1.26.0

require (
	kubernetes.example/minor-30 v1.30.14
	kubernetes.example/minor-33 v1.33.13
	kubernetes.example/minor-36 v1.36.3
)

replace (
	kubernetes.example/minor-30 => k8s.io/kubernetes v1.30.14
	kubernetes.example/minor-33 => k8s.io/kubernetes v1.33.13
	kubernetes.example/minor-36 => k8s.io/kubernetes v1.36.3
)
