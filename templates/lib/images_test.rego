package lib.images_test

import data.lib.images

hex := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

digest := sprintf("sha256:%s", [hex])

# T-40: a Pod's spec with one image in each place, and one container without any.
spec := {
	"containers": [{"name": "a", "image": "container"}, {"name": "b"}],
	"initContainers": [{"name": "c", "image": "init"}],
	"ephemeralContainers": [{"name": "d", "image": "ephemeral"}],
	"volumes": [{"name": "e", "image": {"reference": "volume"}}, {"name": "f", "emptyDir": {}}],
}

places := {
	"containers": "container",
	"initContainers": "init",
	"ephemeralContainers": "ephemeral",
	"volumes": "volume",
}

kinds := {
	"Pod": {"apiVersion": "v1", "kind": "Pod", "spec": spec},
	"Deployment": _workload("apps/v1", "Deployment"),
	"ReplicaSet": _workload("apps/v1", "ReplicaSet"),
	"DaemonSet": _workload("apps/v1", "DaemonSet"),
	"StatefulSet": _workload("apps/v1", "StatefulSet"),
	"ReplicationController": _workload("v1", "ReplicationController"),
	"Job": _workload("batch/v1", "Job"),
	"CronJob": {
		"apiVersion": "batch/v1",
		"kind": "CronJob",
		"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
	},
	"a kind of somebody's own with a Pod template": _workload("argoproj.io/v1alpha1", "Rollout"),
}

_workload(version, kind) := {"apiVersion": version, "kind": kind, "spec": {"template": {"spec": spec}}}

test_of[name] if {
	cases := {sprintf("T-40 %s of %s", [place, kind]): [resource, image] |
		some kind, resource in kinds
		some place, image in places
	}
	some name, [resource, image] in cases
	image in images.of(resource)
}

test_of_every_place_and_no_other[name] if {
	some name, resource in kinds
	images.of(resource) == {"container", "init", "ephemeral", "volume"}
}

test_of_an_object_without_a_pod[name] if {
	cases := {
		"a Scale": {"kind": "Scale", "spec": {"replicas": 3}},
		"a ConfigMap": {"kind": "ConfigMap", "data": {"image": "nginx"}},
		"a spec that is a text": {"kind": "Odd", "spec": "nginx"},
		"null lists": {"kind": "Pod", "spec": {"containers": null, "volumes": null}},
		"null": null,
	}
	some name, resource in cases
	images.of(resource) == set()
}

names := {
	"nginx": _hub("library/nginx", "latest"),
	"nginx:1.27": _hub("library/nginx", "1.27"),
	"bitnami/redis": _hub("bitnami/redis", "latest"),
	"docker.io/nginx": _hub("library/nginx", "latest"),
	"index.docker.io/nginx": _hub("library/nginx", "latest"),
	"index.docker.io": _hub("library/index.docker.io", "latest"),
	"localhost:5000": _hub("library/localhost", "5000"),
	"localhost/app": _tagged("localhost", "app", "latest"),
	"localhost:5000/app:1": _tagged("localhost:5000", "app", "1"),
	"ghcr.io:443/org/app": _tagged("ghcr.io:443", "org/app", "latest"),
	"127.0.0.1:5000/app": _tagged("127.0.0.1:5000", "app", "latest"),
	"[::1]:5000/app": _tagged("[::1]:5000", "app", "latest"),
	"[2001:db8::1]/app": _tagged("[2001:db8::1]", "app", "latest"),
	"[::ffff:102:304]/app": _tagged("[::ffff:102:304]", "app", "latest"),
	"ghcr.io/org/app:V1": _tagged("ghcr.io", "org/app", "V1"),
	sprintf("ghcr.io/app@%s", [digest]): {
		"name": "ghcr.io/app",
		"registry": "ghcr.io",
		"repository": "app",
		"digest": digest,
	},
	sprintf("ghcr.io/app:1@%s", [digest]): {
		"name": "ghcr.io/app",
		"registry": "ghcr.io",
		"repository": "app",
		"tag": "1",
		"digest": digest,
	},
}

_hub(repository, tag) := _tagged("docker.io", repository, tag)

_tagged(registry, repository, tag) := {
	"name": sprintf("%s/%s", [registry, repository]),
	"registry": registry,
	"repository": repository,
	"tag": tag,
}

test_parse[name] if {
	some name, want in names
	images.parse(name) == want
}

test_no_name[name] if {
	cases := {sprintf("%s is no name", [json.marshal(text)]): text | some text in {
		"", " ", "nginx ", "nginx\n", "Nginx", "GHCR.io/app", "ghcr.IO/app", "-u", "nginx?level=audit", "a//b", "../x",
		"ghcr.io./x", "ghcr..io/x", "ghcr.io:/x", "ghcr.io:0/x", "ghcr.io:65536/x", "ghcr.io:0443/x", "my_registry.example/x",
		"127.1/x", "0177.0.0.1/x", "2130706433:80/x", "256.1.1.1/x", "[::1]", "[::0001]/x", "[1:2]/x", "[::ffff:0102:304]/x",
		"nginx:", "nginx:1:2", "nginx@sha256:abc", "a/b:", "x/a*", hex, digest, sprintf("nginx@%s:1", [digest]), 5, null,
		sprintf("g.io/%s", [concat("", [hex, hex, hex, hex])]), concat("/", [hex | some _ in numbers.range(1, 8)]),
	}}
	some name, text in cases
	not images.parse(text)
}

# T-44, T-31: what a pattern covers, and what only looks as if it were covered.
patterns := {
	"every image": ["*", "registry.example.com/a/b:1", true],
	"a repository": ["ghcr.io/org/app", "ghcr.io/org/app", true],
	"a repository, whatever the tag": ["ghcr.io/org/app", "ghcr.io/org/app:v2", true],
	"a repository, whatever the digest": ["ghcr.io/org/app", sprintf("ghcr.io/org/app@%s", [digest]), true],
	"no longer repository": ["ghcr.io/org/app", "ghcr.io/org/app2", false],
	"no deeper repository": ["ghcr.io/org/app", "ghcr.io/org/app/x", false],
	"no other registry": ["ghcr.io/org/app", "quay.io/org/app", false],
	"all below a path": ["ghcr.io/org/*", "ghcr.io/org/a/b", true],
	"not the path itself": ["ghcr.io/org/*", "ghcr.io/org", false],
	"not a path that begins alike": ["ghcr.io/org/*", "ghcr.io/organ/a", false],
	"a part of a component": ["ghcr.io/org/app-*", "ghcr.io/org/app-x", true],
	"a star in the middle": ["ghcr.io/*/app", "ghcr.io/a/b/app", true],
	"a dot is a dot": ["ghcr.io/a.b", "ghcr.io/a-b", false],
	"a dot of the registry is a dot": ["a.ghcr.io/x", "a-ghcr.io/x", false],
	"T-44 a label": ["111122223333.dkr.ecr.*.amazonaws.com/prod/*", _ecr("us-east-1", "prod/x"), true],
	"T-44 not two labels": ["111122223333.dkr.ecr.*.amazonaws.com/prod/*", _ecr("us-east-1.evil", "prod/x"), false],
	"T-44 no host that only begins alike": [
		"111122223333.dkr.ecr.*.amazonaws.com/prod/*",
		"111122223333.dkr.ecr.us-east-1.amazonaws.com.evil.example/prod/x",
		false,
	],
	"T-44 no host within a path": [
		"111122223333.dkr.ecr.*.amazonaws.com/prod/*",
		"evil.example/111122223333.dkr.ecr.us-east-1.amazonaws.com/prod/x",
		false,
	],
	"T-44 no host with a port": ["ghcr.io/*", "ghcr.io:8443/x", false],
	"T-44 a label is not empty": ["*.ghcr.io/x", "ghcr.io/x", false],
	"T-44 a tag is no path": ["ghcr.io/prod/*", "ghcr.io/dev:prod", false],
	"a port": ["registry.example.com:5000/*", "registry.example.com:5000/x", true],
	"a label and a port": ["*.example.com:5000/*", "registry.example.com:5000/x", true],
	"an IPv6 address": ["[::1]:5000/*", "[::1]:5000/x", true],
	"not another IPv6 address": ["[::1]/*", "[::2]/x", false],
	"T-44 a familiar name by its normalised one": ["docker.io/library/*", "nginx", true],
	"T-44 a familiar name with a registry": ["docker.io/library/nginx", "index.docker.io/nginx:1", true],
	"T-44 no registry in a familiar path": ["docker.io/library/*", "ghcr/nginx", false],
	"all of a registry": ["docker.io/*", "nginx", true],
	"a pattern that is none": ["nginx", "nginx", false],
}

_ecr(region, repository) := sprintf("111122223333.dkr.ecr.%s.amazonaws.com/%s", [region, repository])

test_matches[name] if {
	some name, [pattern, image, want] in patterns
	covered := {true | images.matches(pattern, images.parse(image))}
	covered == {true | want}
}

test_no_pattern[name] if {
	cases := {sprintf("%s is no pattern", [json.marshal(pattern)]): pattern | some pattern in {
		"", "nginx", "library/nginx", "docker.io/nginx", "index.docker.io/*", "*/*", "**", "*/nginx", "ghcr.io", "ghcr.io/",
		"ghcr.io/app:v1", "ghcr.io/app:*", "GHCR.io/*", "ghcr.io/App", "ecr*.example.com/x", "*ecr.example.com/x",
		"**.example.com/x", "ghcr.io:*/x", "ghcr.io/a//b", "ghcr.io/[a-z]+", "ghcr.io/(a|b)", "ghcr.io/a?",
		"https://ghcr.io/a", sprintf("ghcr.io/app@%s", [digest]), 5, null, ["ghcr.io/*"],
	}}
	some name, pattern in cases
	not images.is_pattern(pattern)
}

# RE2 takes time in proportion to the text, and no text is longer than a name can be.
test_long_names_are_not_looked_at if not images.parse(concat("", [hex | some _ in numbers.range(1, 20000)]))
