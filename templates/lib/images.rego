# METADATA
# title: Images
# description: >-
#   Which images an object would run, what their names mean, and which patterns match them. The grammar of a name is
#   that of provider/image/reference.ts: a name that two programs could read in two ways is none, and has no reference.
package lib.images

# METADATA
# description: >-
#   The images of an object as they are written in it, a set. Found by where Kubernetes' own kinds keep a Pod's spec and
#   not by the kind's name, so that a kind of somebody's own (a Rollout) is read as soon as a constraint matches it.
of(resource) := {image |
	some path in _pod_specs
	some image in _of_pod_spec(object.get(resource, path, {}))
}

# METADATA
# description: >-
#   The normalised name of an image: registry, repository, and tag and digest where there are any; undefined for a text
#   that is no name. `name` is `registry/repository`, what patterns and the scopes of trust policies are about.
parse(text) := reference if {
	count(text) <= 512
	not regex.match(_image_id, text)
	[registry, remainder] := _split(text)
	_is_host(registry)
	[[_, path, tag, digest]] := regex.find_all_string_submatch_n(_remainder, remainder, 1)
	repository := _full_path(registry, path)
	name := sprintf("%s/%s", [registry, repository])
	count(name) <= 255
	parts := {
		"name": name,
		"registry": registry,
		"repository": repository,
		"tag": _tag(tag, digest),
		"digest": digest,
	}
	reference := {member: part | some member, part in parts; part != ""}
}

# METADATA
# description: >-
#   Whether a pattern covers a reference. `*` alone covers every image. Otherwise a pattern is `registry/repository`: in
#   the registry `*` is one whole label of the host, in the repository any characters. Tag and digest do not count.
matches(pattern, reference) if {
	is_pattern(pattern)
	cover([pattern], reference)
}

# METADATA
# description: Whether one of the patterns covers a reference, of texts that `is_pattern` has said to be patterns.
cover(patterns, reference) if regex.match(_expression(patterns), reference.name)

# METADATA
# description: >-
#   Whether a pattern can match anything: with something in the place of each `*` it is a name in its normalised
#   spelling. So `nginx`, `index.docker.io/*`, `docker.io/nginx` and a pattern with a tag are none.
is_pattern("*")

is_pattern(pattern) if {
	[registry, repository] := _halves(pattern)
	not regex.match(`[^.]\*|\*[^.:]`, registry)
	example := sprintf("%s/%s", [replace(registry, "*", "x"), replace(repository, "*", "x/x")])
	reference := parse(example)
	reference.name == example
}

# Of a Pod, of every workload with a template, and of a CronJob.
_pod_specs := [
	["spec"],
	["spec", "template", "spec"],
	["spec", "jobTemplate", "spec", "template", "spec"],
]

_of_pod_spec(spec) := union({
	{container.image | some container in spec.containers},
	{container.image | some container in spec.initContainers},
	{container.image | some container in spec.ephemeralContainers},
	{volume.image.reference | some volume in spec.volumes},
})

# 64 hexadecimal digits are an image's ID to Docker, a digest alone is one to containerd: no registry is asked.
_image_id := `^(?:[0-9a-f]{64}|(?:sha256|sha384|sha512|blake3):[0-9a-f]{64,})$`

# The registry is the first component if it looks like an address; a name without a slash has none.
_split(text) := [object.get(_other_names, first, first), remainder] if {
	_begins_with_host(text)
	[first, remainder] := _halves(text)
} else := ["docker.io", text]

_other_names := {"index.docker.io": "docker.io"}

_begins_with_host(text) if regex.match(`^(?:localhost|[^/]*[.:][^/]*)/`, text)

# Before and after the first slash.
_halves(text) := [substring(text, 0, slash), substring(text, slash + 1, -1)] if {
	slash := indexof(text, "/")
	slash >= 0
}

# Docker Hub's official images are written without their namespace.
_full_path("docker.io", path) := sprintf("library/%s", [path]) if {
	not contains(path, "/")
} else := path

_full_path(registry, path) := path if registry != "docker.io"

_tag("", "") := "latest"

_tag(tag, digest) := tag if sprintf("%s%s", [tag, digest]) != ""

# remote-name [":" tag] ["@" digest], as github.com/distribution/reference has it, with the one algorithm of signatures.
_remainder := sprintf(
	`^(%s(?:/%s)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
	[_path_component, _path_component],
)

_path_component := `[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`

# One label of a host: lower case, no hyphen at either end.
_label := `[a-z0-9]+(?:-+[a-z0-9]+)*`

# host[:port] in the one spelling that cannot be taken for another address.
_is_host(text) if {
	count(text) <= 259
	[[_, name, port]] := regex.find_all_string_submatch_n(_host, text, 1)
	_is_port(port)
	_is_address(name)
}

_host := sprintf(`^(%s(?:\.%s)*|\[[0-9a-f:]{2,39}\])(?::([1-9][0-9]{0,4}))?$`, [_label, _label])

_is_port("")

_is_port(port) if to_number(port) <= 65535

# A name whose last label is a number is an IPv4 address to some readers.
_is_address(name) if {
	not startswith(name, "[")
	not regex.match(`(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$`, name)
}

_is_address(name) if regex.match(_ipv4, name)

# The spelling of RFC 5952, which the built-in prints.
_is_address(name) if {
	startswith(name, "[")
	network := sprintf("%s/128", [trim(name, "[]")])
	net.cidr_merge({network}) == {network}
}

# The built-in prints these as IPv4; here they stay what they are.
_is_address(name) if regex.match(`^\[::ffff(?::(?:0|[1-9a-f][0-9a-f]{0,3})){2}\]$`, name)

_ipv4 := sprintf(`^(?:%s\.){3}%s$`, [_octet, _octet])

_octet := `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`

# One expression for all, because there is a match for each rule and image, and expressions are kept for a while.
_expression(patterns) := sprintf("^(?:%s)$", [concat("|", [_alternative(pattern) | some pattern in patterns])])

_alternative("*") := ".*"

# A pattern has no characters that mean something in an expression but these.
_alternative(pattern) := sprintf("%s/%s", [
	strings.replace_n({".": `\.`, "[": `\[`, "]": `\]`, "*": _label}, registry),
	strings.replace_n({".": `\.`, "*": ".*"}, repository),
]) if {
	[registry, repository] := _halves(pattern)
}
