package k8ssignedimages_test

import data.k8ssignedimages

# The provider of these tests: what an image is called is what becomes of it. It notes nothing, so a test that wants to
# see the request replaces it by one that only answers the request it expects.
_provider(request) := {
	"responses": [[key, value] | some key in request.keys; value := _value(key)],
	"errors": [[key, "UNSIGNED: no signature"] | some key in request.keys; contains(key, "unsigned")],
	"status_code": 200,
	"system_error": concat("\n", [line |
		some key in request.keys
		contains(key, "slow")
		line := sprintf("%s: TIMEOUT: not decided in time", [key])
	]),
}

_value(key) := {"outcome": "verified"} if {
	contains(key, "/signed")
} else := {"outcome": "skipped"} if {
	contains(key, "/skipped")
} else := {"outcome": "verified", "warnings": [{"check": "expiry", "message": "since 2026-01-01"}]} if {
	contains(key, "/expired")
}

_undefined(_) := {} if 1 == 2

_parameters := {"rules": [
	{"images": ["g.io/exempt/*"], "exempt": {"reason": "upstream", "until": "2027-06-30"}},
	{"images": ["g.io/prod/*"], "policy": "prod", "level": "strict"},
	{"images": ["g.io/*"]},
]}

_day := time.parse_rfc3339_ns("2027-06-30T23:59:59Z")

_next_day := time.parse_rfc3339_ns("2027-07-01T00:00:00Z")

_pod(list) := {
	"apiVersion": "v1",
	"kind": "Pod",
	"spec": {"containers": [{"name": "a", "image": image} | some image in list]},
}

_deployment(list) := {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": _pod(list)}}

_create(resource) := {"operation": "CREATE", "object": resource, "oldObject": null}

_update(before, after) := {"operation": "UPDATE", "object": after, "oldObject": before}

# Audit reviews without an operation and without an old object.
_audit(resource) := {"operation": "", "object": resource, "oldObject": null}

# `<image>: CODE`, or `CODE` of what is wrong with no image in particular; the sentence left away.
_codes(review, parameters) := {summary |
	some violation in k8ssignedimages.violation with input as {"review": review, "parameters": parameters}
		with external_data as _provider
		with time.now_ns as _day
	details := violation.details
	summary := concat(": ", [text | some member in ["image", "code"]; text := details[member]])
	startswith(violation.msg, sprintf("%s: ", [summary]))
}

test_reviews[name] if {
	cases := {
		"T-48 a verified image passes": [_create(_pod(["g.io/signed"])), set()],
		"T-48 a skipped image passes": [_create(_pod(["g.io/skipped"])), set()],
		"T-48 an unsigned image is refused": [_create(_pod(["g.io/unsigned"])), {"g.io/unsigned: UNSIGNED"}],
		"T-48 an image that is not answered for is refused": [_create(_pod(["g.io/other"])), {"g.io/other: NO_VERDICT"}],
		"T-48 an undecided image is refused, its neighbour passes": [
			_create(_pod(["g.io/signed", "g.io/slow"])),
			{"g.io/slow: TIMEOUT"},
		],
		"T-48 each refused image is named": [
			_create(_pod(["g.io/unsigned/a", "g.io/signed", "g.io/unsigned/b"])),
			{"g.io/unsigned/a: UNSIGNED", "g.io/unsigned/b: UNSIGNED"},
		],
		"the image is told without the options of its key": [
			_create(_pod(["g.io/prod/unsigned"])),
			{"g.io/prod/unsigned: UNSIGNED"},
		],
		"T-40 an unsigned image of a workload is refused": [
			_create(_deployment(["g.io/unsigned"])),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-40 an unsigned image volume is refused": [
			_create({"kind": "Pod", "spec": {"volumes": [{"image": {"reference": "g.io/unsigned"}}]}}),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-44 an exempt image passes": [_create(_pod(["g.io/exempt/unsigned"])), set()],
		"T-44 an image that no rule matches is refused": [_create(_pod(["h.io/signed"])), {"h.io/signed: NO_RULE"}],
		"T-44 a text that is no image is refused": [_create(_pod(["g.io/Signed"])), {"g.io/Signed: INVALID_REFERENCE"}],
		"T-44 an image with options of its own is refused": [
			_create(_pod(["g.io/signed?policy=prod"])),
			{"g.io/signed?policy=prod: INVALID_REFERENCE"},
		],
		"an object without images passes": [_create({"kind": "Scale", "spec": {"replicas": 3}}), set()],
		"T-08 an object that is created as deleted is judged like any other": [
			_create(object.union(_pod(["g.io/unsigned"]), {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}})),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-43 the object's namespace makes no difference": [
			object.union(_create(_pod(["g.io/unsigned"])), {"namespace": "kube-system"}),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-42 audit judges": [_audit(_pod(["g.io/unsigned"])), {"g.io/unsigned: UNSIGNED"}],
		"T-42 audit judges, though an old object were there": [
			object.union(_audit(_pod(["g.io/unsigned"])), {"oldObject": _pod(["g.io/unsigned"])}),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-42 a creation is judged, though an old object were there": [
			object.union(_create(_pod(["g.io/unsigned"])), {"oldObject": _pod(["g.io/unsigned"])}),
			{"g.io/unsigned: UNSIGNED"},
		],
		"T-42 a review without any operation is judged": [
			{"object": _pod(["g.io/unsigned"]), "oldObject": _pod(["g.io/unsigned"])},
			{"g.io/unsigned: UNSIGNED"},
		],
		"a deletion is not judged": [
			{"operation": "DELETE", "object": _pod(["g.io/unsigned"]), "oldObject": _pod(["g.io/unsigned"])},
			set(),
		],
		"a connection is not judged": [{"operation": "CONNECT", "object": _pod(["g.io/unsigned"])}, set()],
		"a review without an object passes": [{"operation": "CREATE"}, set()],
	}
	some name, [review, want] in cases
	_codes(review, _parameters) == want
}

# T-42: what was unsigned, and ran before.
updates := {
	"T-42 another image is judged": [_pod(["g.io/signed"]), _pod(["g.io/unsigned"]), {"g.io/unsigned: UNSIGNED"}],
	"T-42 an added container is judged": [
		_pod(["g.io/signed"]),
		_pod(["g.io/signed", "g.io/unsigned"]),
		{"g.io/unsigned: UNSIGNED"},
	],
	"T-42 one new image, and those that ran before are judged as well": [
		_pod(["g.io/unsigned"]),
		_pod(["g.io/unsigned", "g.io/signed"]),
		{"g.io/unsigned: UNSIGNED"},
	],
	"T-42 another tag is another image": [
		_deployment(["g.io/unsigned:1"]),
		_deployment(["g.io/unsigned:2"]),
		{"g.io/unsigned:2: UNSIGNED"},
	],
	"T-41 an ephemeral container that is added is judged": [
		_pod(["g.io/signed"]),
		json.patch(_pod(["g.io/signed"]), [{
			"op": "add",
			"path": "/spec/ephemeralContainers",
			"value": [{"image": "g.io/unsigned"}],
		}]),
		{"g.io/unsigned: UNSIGNED"},
	],
	"T-42 an image in another place passes": [
		_pod(["g.io/unsigned"]),
		{"kind": "Pod", "spec": {"initContainers": [{"image": "g.io/unsigned"}], "containers": []}},
		set(),
	],
	"T-42 a removed container passes": [_pod(["g.io/unsigned", "g.io/signed"]), _pod(["g.io/unsigned"]), set()],
	"T-42 a label passes": [
		_pod(["g.io/unsigned"]),
		object.union(_pod(["g.io/unsigned"]), {"metadata": {"labels": {"a": "b"}}}),
		set(),
	],
	"T-42 a removed finalizer passes": [
		object.union(_pod(["g.io/unsigned"]), {"metadata": {"finalizers": ["a/b"]}}),
		_pod(["g.io/unsigned"]),
		set(),
	],
	"T-42 a scale-down passes": [
		object.union(_deployment(["g.io/unsigned"]), {"spec": {"replicas": 3}}),
		object.union(_deployment(["g.io/unsigned"]), {"spec": {"replicas": 0}}),
		set(),
	],
	"T-42 the Pod that an update of a workload implies passes": [null, _pod(["g.io/unsigned"]), set()],
}

test_updates[name] if {
	some name, [before, after, want] in updates
	_codes(_update(before, after), _parameters) == want
}

# The same updates, each of them judged.
test_updates_that_are_verified_though_unchanged[name] if {
	some name, [before, after, _] in updates
	parameters := object.union(_parameters, {"verifyUnchanged": true})
	_codes(_update(before, after), parameters) == _codes(_create(after), _parameters)
}

test_an_update_that_changes_no_image_passes_under_wrong_parameters if {
	_codes(_update(_pod(["g.io/unsigned"]), _pod(["g.io/unsigned"])), {"rules": []}) == set()
}

test_parameters[name] if {
	cases := {
		"T-44 an exemption is over": [
			"g.io/a",
			{"rules": [{"images": ["*"], "exempt": {"reason": "a", "until": "2027-06-29"}}]},
			{"g.io/a: EXEMPTION_ENDED"},
		],
		"a digest is required": [
			"g.io/signed:v1",
			object.union(_parameters, {"requireDigest": true}),
			{"g.io/signed:v1: DIGEST_REQUIRED"},
		],
		"unmatched is admitted": ["h.io/a", object.union(_parameters, {"unmatched": "allow"}), set()],
		"T-44 wrong parameters refuse what a rule would exempt": [
			"g.io/exempt/a",
			object.union(_parameters, {"unmatched": "alow"}),
			{"INVALID_PARAMETERS"},
		],
		"T-44 no parameters": ["g.io/signed", {}, {"INVALID_PARAMETERS"}],
		"T-44 parameters that are null": ["g.io/signed", null, {"INVALID_PARAMETERS"}],
		"T-44 parameters that are a list": ["g.io/signed", [], {"INVALID_PARAMETERS"}],
		"T-44 parameters that are a text": ["g.io/signed", "x", {"INVALID_PARAMETERS"}],
		"T-44 a misspelt end of an exemption": [
			"g.io/a",
			{"rules": [{"images": ["*"], "exempt": {"reason": "a", "untill": "2027-12-31"}}]},
			{"INVALID_PARAMETERS"},
		],
		"warnings are ignored unless told": ["g.io/expired", _parameters, set()],
		"warnings are ignored": ["g.io/expired", object.union(_parameters, {"warnings": "ignore"}), set()],
		"warnings are violations": [
			"g.io/expired",
			object.union(_parameters, {"warnings": "violate"}),
			{"g.io/expired: CHECK_FAILED"},
		],
		"no warnings are no violations": ["g.io/signed", object.union(_parameters, {"warnings": "violate"}), set()],
	}
	some name, [image, parameters, want] in cases
	_codes(_create(_pod([image])), parameters) == want
}

test_an_exemption_ends_with_its_day[name] if {
	cases := {
		"T-44 in its last second it is in force": [_day, 0],
		"T-44 a second later it is over": [_next_day, 1],
	}
	some name, [now, want] in cases
	count(k8ssignedimages.violation) == want with input as {
		"review": _create(_pod(["g.io/exempt/a"])),
		"parameters": _parameters,
	}
		with time.now_ns as now
}

test_what_is_wrong_with_the_parameters_is_told_once if {
	k8ssignedimages.violation == {{
		"msg": "INVALID_PARAMETERS: rules has no rule; unmatched is not deny or allow",
		"details": {"code": "INVALID_PARAMETERS"},
	}}
		with input as {"review": _create(_pod(["g.io/a", "g.io/b"])), "parameters": {"unmatched": 1}}
}

test_parameters_that_cannot_be_judged_admit_nothing if {
	k8ssignedimages.violation == {{
		"msg": "INVALID_PARAMETERS: they cannot be read",
		"details": {"code": "INVALID_PARAMETERS"},
	}}
		with input as {"review": _create(_pod(["g.io/a"])), "parameters": _parameters}
		with data.lib.rules.invalid as _undefined
}

test_a_violation_is_the_message_and_the_details if {
	k8ssignedimages.violation == {{
		"msg": "g.io/prod/unsigned: UNSIGNED: no signature",
		"details": {"image": "g.io/prod/unsigned", "code": "UNSIGNED"},
	}}
		with input as {"review": _create(_pod(["g.io/prod/unsigned"])), "parameters": _parameters}
		with external_data as _provider
}

# Answers one request only, and is undefined for any other.
_strict_provider({"provider": "notation", "keys": ["g.io/a/signed", "g.io/prod/signed?policy=prod&level=strict"]}) := {
	"responses": [
		["g.io/prod/signed?policy=prod&level=strict", {"outcome": "verified"}],
		["g.io/a/signed", {"outcome": "verified"}],
	],
	"errors": [],
	"status_code": 200,
	"system_error": "",
}

test_the_provider_is_asked_once_with_sorted_keys_and_no_key_twice if {
	list := ["g.io/prod/signed", "g.io/exempt/a", "g.io/a/signed", "g.io/prod/signed"]
	k8ssignedimages.violation == set() with input as {"review": _create(_pod(list)), "parameters": _parameters}
		with external_data as _strict_provider
		with time.now_ns as _day
}

test_another_provider_can_be_asked if {
	parameters := object.union(_parameters, {"provider": "other"})
	request := k8ssignedimages._response with input as {"review": _create(_pod(["g.io/a"])), "parameters": parameters}
		with external_data as _echo
	request == {"provider": "other", "keys": ["g.io/a"]}
}

_echo(request) := request

test_no_provider_is_asked_when_no_image_needs_it[name] if {
	cases := {"no image": [], "an exempt image": ["g.io/exempt/a"], "an unmatched image": ["h.io/a"]}
	some name, list in cases
	response := k8ssignedimages._response with input as {"review": _create(_pod(list)), "parameters": _parameters}
		with external_data as _echo
		with time.now_ns as _day
	response == {}
}

test_the_namespace_names_the_policy if {
	parameters := {"rules": [{"images": ["*"]}], "policyFromNamespace": "tenant-%s"}
	review := object.union(_create(_pod(["g.io/a"])), {"namespace": "payments"})
	request := k8ssignedimages._response with input as {"review": review, "parameters": parameters}
		with external_data as _echo
	request.keys == ["g.io/a?policy=tenant-payments"]
}

test_a_built_in_that_fails_admits_nothing if {
	k8ssignedimages.violation == {{
		"msg": "g.io/signed: NO_VERDICT: the provider did not answer for this image",
		"details": {"image": "g.io/signed", "code": "NO_VERDICT"},
	}}
		with input as {"review": _create(_pod(["g.io/signed"])), "parameters": _parameters}
		with external_data as _undefined
}

test_a_call_that_failed_is_told_once if {
	k8ssignedimages.violation == {{
		"msg": "PROVIDER_FAILED: Gatekeeper could not ask it",
		"details": {"code": "PROVIDER_FAILED"},
	}}
		with input as {"review": _create(_pod(["g.io/signed", "g.io/unsigned"])), "parameters": _parameters}
		with external_data as _out_of_reach
}

_out_of_reach(_) := {"responses": null, "errors": null, "status_code": 500, "system_error": "failed to send"}

test_what_is_being_deleted[name] if {
	running := _pod(["g.io/unsigned"])
	deleted := object.union(running, {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}})
	cases := {
		"T-42 it loses a finalizer": [_update(deleted, deleted), set()],
		"T-42 it gets a new image": [_update(deleted, _pod(["g.io/unsigned/b"])), {"g.io/unsigned/b: UNSIGNED"}],
		"T-08 only the object from before can say so": [_update(running, deleted), {"g.io/unsigned: UNSIGNED"}],
	}
	some name, [review, want] in cases
	_codes(review, object.union(_parameters, {"verifyUnchanged": true})) == want
}

_many(count) := _pod([sprintf("g.io/signed/%d", [i]) | some i in numbers.range(1, count)])

test_the_number_of_images[name] if {
	refused := {"TOO_MANY_IMAGES"}
	cases := {
		"256 are judged": [_create(_many(256)), set()],
		"257 are refused once": [_create(_many(257)), refused],
		"256 that are repeated are judged": [
			_create(_pod([image |
				some _ in [1, 2]
				some container in _many(256).spec.containers
				image := container.image
			])),
			set(),
		],
		"257 that stood there before pass": [_update(_many(257), _many(257)), set()],
	}
	some name, [review, want] in cases
	_codes(review, _parameters) == want
}

test_nobody_is_asked_about_too_many_images if {
	response := k8ssignedimages._response with input as {"review": _create(_many(257)), "parameters": _parameters}
		with external_data as _echo
	response == {}
}

# What somebody writes at length never hides the code from audit, which keeps 256 bytes.
test_the_code_is_within_what_audit_keeps[name] if {
	long := concat("", ["😀" | some _ in numbers.range(1, 100)])
	cases := {
		"an exemption that ended for a long reason": [
			"g.io/a",
			{"rules": [{"images": ["*"], "exempt": {"reason": long, "until": "2027-06-29"}}]},
			"EXEMPTION_ENDED: exempt until 2027-06-29",
		],
		"a long text that is no image": [sprintf("%s%s", [long, long]), _parameters, "INVALID_REFERENCE: "],
		"many patterns that are none": [
			"g.io/a",
			{"rules": [{"images": [sprintf("%s%d", [long, i]) | some i in numbers.range(1, 20)]}]},
			"INVALID_PARAMETERS: rules[0]",
		],
	}
	some name, [image, parameters, want] in cases
	[violation] := [found |
		some found in k8ssignedimages.violation with input as {"review": _create(_pod([image])), "parameters": parameters}
			with time.now_ns as _day
	]
	contains(substring(violation.msg, 0, 200), want)
	regex.match(`^[!-~ ]*$`, split(violation.msg, want)[0])
}
