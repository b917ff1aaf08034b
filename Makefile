# The front door. Every target installs and builds what it needs, and nothing more.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Node 26 comes as an optional npm dependency, so that the machine's own Node only has to run npm.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# What a recipe is about, and how long it took: on a new machine nothing else tells of a slow network. $(call TIMED,words,command)
TIMED = @echo "$(1)" && SECONDS=0 && { $(2); } && echo "  in $$SECONDS s"

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

node_modules/.package-lock.json: package.json package-lock.json .npmrc
# Not `npm ci`: it refuses a lock file that has no entry for an optional package of some other platform, and not every
# registry has them all. With --no-save the lock file is followed, its integrity checked, and nothing written.
	$(call TIMED,installing npm packages,npm install --no-save --no-progress --loglevel=error)
	@touch $@

.PHONY: install
install: node_modules/.package-lock.json ## Install the npm packages of the lock file

# One Go module per tool: `make tools/bin/notation`. The tool's import path is the `tool` line of its module.
tools/bin/%: tools/%/go.mod tools/%/go.sum
	@mkdir -p tools/bin
	$(call TIMED,building $* (first time only),cd tools/$* && CGO_ENABLED=0 go build -trimpath -o ../bin/$* "$$(go list tool)")

# Our own program, of no module but Go's own.
tools/bin/signer-launcher: tools/signer-launcher/go.mod tools/signer-launcher/main.go
	@mkdir -p tools/bin
	$(call TIMED,building signer-launcher (first time only),cd tools/signer-launcher && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../bin/signer-launcher .)

# Our own as well, of the parts of Prometheus that evaluate rules.
tools/bin/alert-rules: tools/alert-rules/go.mod tools/alert-rules/go.sum $(wildcard tools/alert-rules/*.go)
	@mkdir -p tools/bin
	$(call TIMED,building alert-rules (first time only),cd tools/alert-rules && CGO_ENABLED=0 go build -trimpath -o ../bin/alert-rules .)

# Kubernetes is one module of several programs, which want to be told their version.
KUBERNETES := $(addprefix tools/bin/,kube-apiserver kube-controller-manager kube-scheduler kubectl)
$(KUBERNETES): tools/bin/%: tools/kube/go.mod tools/kube/go.sum
	@mkdir -p tools/bin
	$(call TIMED,building $* (first time only),cd tools/kube && \
	  version="$$(go list -m -f '{{.Version}}' k8s.io/kubernetes)" && \
	  IFS=.v read -r _ major minor _ <<<"$$version" && package=k8s.io/component-base/version && \
	  CGO_ENABLED=0 go build -trimpath -o ../bin/$* -ldflags "-s -w -X $$package.gitVersion=$$version \
	    -X $$package.gitMajor=$$major -X $$package.gitMinor=$$minor" "k8s.io/kubernetes/cmd/$*")

# Of the schemas only the folder is known to make; it is as new as the last of them.
.cache/schemas: tools/openapi/go.mod tools/openapi/go.sum tools/crds/go.mod tools/gatekeeper/go.mod templates/k8ssignedimages/template.yaml testing/chart/schemas.ts | install
	$(call TIMED,writing the schemas of Kubernetes' API,node testing/chart/schemas.ts && touch $@)

.PHONY: cluster-tools
cluster-tools: tools/bin/notation tools/bin/signer-launcher tools/bin/olareg tools/bin/etcd tools/bin/kwok tools/bin/gatekeeper $(KUBERNETES)

.PHONY: test
test: install cluster-tools tools/bin/helm tools/bin/helm3 tools/bin/kubeconform .cache/schemas tools/bin/reaper tools/bin/opa tools/bin/gator tools/bin/alert-rules ## Everything that CI runs
	@node tools/gate.ts

.PHONY: templates
templates: install ## Write every template.yaml from its Rego
	@node tools/templates.ts

.PHONY: test-templates
test-templates: install tools/bin/opa tools/bin/gator ## Check and test the Rego, and run its samples in gator
	@node --test --test-reporter=spec tools/templates.test.ts tools/templates.integration.test.ts

.PHONY: test-the-tests
test-the-tests: install tools/bin/notation tools/bin/olareg tools/bin/opa tools/bin/gator ## Break the code on purpose, and see a test turn red
	@node tools/test-the-tests.ts $(ARGS)

.PHONY: fuzz
fuzz: install ## Look for input that breaks a reader, ten minutes each: ARGS="policy jws 60" for an hour on two of them
	@node testing/fuzz/main.ts $(ARGS)

.PHONY: sbom
sbom: install tools/bin/notation tools/bin/reaper tools/bin/signer-launcher ## What a release consists of, as CycloneDX: ARGS=FILE
	@node tools/sbom.ts $(ARGS)

.PHONY: demo
demo: install tools/bin/notation tools/bin/olareg tools/bin/signer-launcher ## Real images, real signatures, judged over mutual TLS
	@node testing/demo/main.ts $(ARGS)

.PHONY: demo-serve
demo-serve: install tools/bin/notation tools/bin/olareg tools/bin/signer-launcher ## The same, left running, with the curl line to use
	@node testing/demo/main.ts --serve

.PHONY: cluster
cluster: install cluster-tools ## A real control plane with Gatekeeper and the provider, left running to play with
	@node testing/cluster/main.ts

.PHONY: e2e
e2e: install cluster-tools ## Real Pods decided on by the real API server and the real Gatekeeper
	@node tools/gate.ts "end-to-end tests"

.PHONY: test-image
test-image: install cluster-tools tools/bin/helm tools/bin/helm3 tools/bin/reaper ## The image's file system and the installed chart alone
	@node --test --test-concurrency=1 --test-reporter=spec testing/chart/image.integration.test.ts e2e/chart.e2e.test.ts

.PHONY: bench
bench: install cluster-tools tools/bin/vegeta ## Measure the load targets
	@node bench/main.ts $(ARGS)

.PHONY: bench-soak
bench-soak: install cluster-tools ## Two hours of what the provider keeps, in twenty minutes of load; fails when a gate is missed
	@node bench/soak.ts $(ARGS)

.PHONY: format
format: install ## Write every file as prettier wants it
	@prettier --write --log-level warn .

.PHONY: clean
clean: ## Remove what was installed and built
	@rm -rf node_modules tools/bin .cache
