package lib.rules_test

import data.lib.rules

pinned := "ghcr.io/org/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_decide(image, parameters) := rules.decide(image, {
	"parameters": parameters,
	"namespace": "payments",
	"today": "2027-06-30",
})

# The first word tells what became of the image, the second the code or the key.
_summary(outcome) := "admitted" if outcome.admitted

_summary(outcome) := split(outcome.refused, ":")[0]

_summary(outcome) := outcome.asked

_rule(more) := object.union({"images": ["ghcr.io/org/*"]}, more)

_exempt(until) := _rule({"exempt": {"reason": "upstream", "until": until}})

test_decide[name] if {
	cases := {
		"a rule without options asks for the image as it is": ["ghcr.io/org/app", {"rules": [_rule({})]}, "ghcr.io/org/app"],
		"a policy": ["ghcr.io/org/app", {"rules": [_rule({"policy": "prod"})]}, "ghcr.io/org/app?policy=prod"],
		"a level": ["ghcr.io/org/app", {"rules": [_rule({"level": "audit"})]}, "ghcr.io/org/app?level=audit"],
		"both": [
			"ghcr.io/org/app",
			{"rules": [_rule({"policy": "prod", "level": "strict"})]},
			"ghcr.io/org/app?policy=prod&level=strict",
		],
		"a policy from the namespace": [
			"ghcr.io/org/app",
			{"rules": [_rule({})], "policyFromNamespace": "tenant-%s"},
			"ghcr.io/org/app?policy=tenant-payments",
		],
		"the rule's policy from the namespace before the constraint's": [
			"ghcr.io/org/app",
			{"rules": [_rule({"policyFromNamespace": "%s"})], "policyFromNamespace": "tenant-%s"},
			"ghcr.io/org/app?policy=payments",
		],
		"the rule's policy before the constraint's from the namespace": [
			"ghcr.io/org/app",
			{"rules": [_rule({"policy": "prod"})], "policyFromNamespace": "tenant-%s"},
			"ghcr.io/org/app?policy=prod",
		],
		"T-44 a namespace that makes the policy's name too long": [
			"ghcr.io/org/app",
			{"rules": [_rule({"policyFromNamespace": "a-policy-name-of-sixty-characters-to-which-a-namespace-is-added%s"})]},
			"INVALID_PARAMETERS",
		],
		"T-44 the first rule that matches decides, though a later one is weaker": [
			"ghcr.io/org/app",
			{"rules": [_rule({"level": "strict"}), {"images": ["*"], "exempt": {"reason": "all"}}]},
			"ghcr.io/org/app?level=strict",
		],
		"T-44 the first rule that matches decides, though a later one is stricter": [
			"ghcr.io/org/app",
			{"rules": [_rule({"level": "audit"}), _rule({"level": "strict"})]},
			"ghcr.io/org/app?level=audit",
		],
		"a rule that does not match is passed over": [
			"ghcr.io/org/app",
			{"rules": [{"images": ["quay.io/*"], "level": "audit"}, _rule({"level": "strict"})]},
			"ghcr.io/org/app?level=strict",
		],
		"any of the patterns": [
			"ghcr.io/org/app",
			{"rules": [{"images": ["quay.io/*", "ghcr.io/*"], "level": "strict"}]},
			"ghcr.io/org/app?level=strict",
		],
		"T-44 none of the patterns by its beginning": [
			"ghcr.io.evil.example/app",
			{"rules": [{"images": ["quay.io/*", "ghcr.io/*", "docker.io/*"]}]},
			"NO_RULE",
		],
		"T-44 none of the patterns by its end": [
			"evil.example/ghcr.io/app",
			{"rules": [{"images": ["quay.io/*", "ghcr.io/*", "docker.io/*"]}]},
			"NO_RULE",
		],
		"T-44 patterns apply to the normalised name": [
			"nginx",
			{"rules": [{"images": ["docker.io/library/*"], "exempt": {"reason": "upstream"}}]},
			"admitted",
		],
		"T-44 unmatched is refused": ["quay.io/x", {"rules": [_rule({})]}, "NO_RULE"],
		"T-44 unmatched is refused when that is said": ["quay.io/x", {"rules": [_rule({})], "unmatched": "deny"}, "NO_RULE"],
		"unmatched is admitted when that is said": ["quay.io/x", {"rules": [_rule({})], "unmatched": "allow"}, "admitted"],
		"T-44 a text that is no name is refused, though unmatched is allowed": [
			"QUAY.io/x",
			{"rules": [_rule({})], "unmatched": "allow"},
			"INVALID_REFERENCE",
		],
		"T-44 a text that is no name is refused, though everything is exempt": [
			"ghcr.io/org/App",
			{"rules": [{"images": ["*"], "exempt": {"reason": "all"}}]},
			"INVALID_REFERENCE",
		],
		"T-44 an image cannot bring options of its own": [
			"ghcr.io/org/app?level=audit",
			{"rules": [_rule({"level": "strict"})]},
			"INVALID_REFERENCE",
		],
		"exempt without an end": ["ghcr.io/org/app", {"rules": [_rule({"exempt": {"reason": "upstream"}})]}, "admitted"],
		"T-44 exempt to the last day": ["ghcr.io/org/app", {"rules": [_exempt("2027-06-30")]}, "admitted"],
		"T-44 exempt no longer on the day after": ["ghcr.io/org/app", {"rules": [_exempt("2027-06-29")]}, "EXEMPTION_ENDED"],
		"T-44 an ended exemption is not replaced by a later rule": [
			"ghcr.io/org/app",
			{"rules": [_exempt("2026-12-31"), _rule({"exempt": {"reason": "all"}})]},
			"EXEMPTION_ENDED",
		],
		"T-44 exempt for a year far away": ["ghcr.io/org/app", {"rules": [_exempt("9999-12-31")]}, "admitted"],
		"a tag where a digest is required": [
			"ghcr.io/org/app:v1",
			{"rules": [_rule({})], "requireDigest": true},
			"DIGEST_REQUIRED",
		],
		"neither tag nor digest where one is required": [
			"ghcr.io/org/app",
			{"rules": [_rule({})], "requireDigest": true},
			"DIGEST_REQUIRED",
		],
		"a digest where one is required": [pinned, {"rules": [_rule({})], "requireDigest": true}, pinned],
		"an exempt image needs no digest": [
			"ghcr.io/org/app",
			{"rules": [_exempt("2027-06-30")], "requireDigest": true},
			"admitted",
		],
		"a tag where no digest is required": [
			"ghcr.io/org/app:v1",
			{"rules": [_rule({})], "requireDigest": false},
			"ghcr.io/org/app:v1",
		],
	}
	some name, [image, parameters, want] in cases
	_summary(_decide(image, parameters)) == want
}

test_a_cluster_wide_object_has_no_namespace_to_name_a_policy if {
	context := {
		"parameters": {"rules": [_rule({})], "policyFromNamespace": "tenant-%s"},
		"namespace": "",
		"today": "2027-06-30",
	}
	outcome := rules.decide("ghcr.io/org/app", context)
	outcome.refused == "INVALID_PARAMETERS: an object without a namespace names no policy"
}

test_a_namespace_that_makes_the_name_of_a_policy_too_long_is_told if {
	template := "a-policy-name-of-sixty-characters-to-which-a-namespace-is-added%s"
	outcome := _decide("ghcr.io/org/app", {"rules": [_rule({"policyFromNamespace": template})]})
	outcome.refused == `INVALID_PARAMETERS: the name of the policy of "payments" is too long`
}

test_the_end_and_the_reason_of_an_exemption_are_told if {
	outcome := _decide("ghcr.io/org/app", {"rules": [_exempt("2027-01-31")]})
	outcome.refused == "EXEMPTION_ENDED: exempt until 2027-01-31: upstream"
}

complete := {
	"provider": "notation",
	"rules": [
		{"images": ["registry.k8s.io/*"], "exempt": {"reason": "upstream", "until": "2028-02-29"}},
		{"images": ["*.example.com/prod/*"], "policy": "prod", "level": "strict"},
		{"images": ["*"], "policyFromNamespace": "%s"},
	],
	"unmatched": "deny",
	"requireDigest": false,
	"warnings": "ignore",
	"verifyUnchanged": false,
	"policyFromNamespace": "tenant-%s",
}

test_nothing_is_wrong[name] if {
	cases := {"all parameters": complete, "only a rule": {"rules": [_rule({})]}}
	some name, parameters in cases
	rules.invalid(parameters) == set()
}

_with_rule(more) := {"rules": [_rule(more)]}

# The sentence begins with the member.
test_invalid[name] if {
	cases := {
		"null": [null, "they are not an object"],
		"a list": [[], "they are not an object"],
		"a text": ["x", "they are not an object"],
		"no rules": [{}, "rules has no rule"],
		"an empty list of rules": [{"rules": []}, "rules has no rule"],
		"rules that are none": [{"rules": "x"}, "rules has no rule"],
		"a rule that is none": [{"rules": ["x"]}, "rules[0]: not a rule"],
		"a rule without images": [{"rules": [{}]}, "rules[0]: images has no pattern"],
		"images that are none": [{"rules": [{"images": "*"}]}, "rules[0]: images has no pattern"],
		"T-44 a pattern that is none": [
			{"rules": [_rule({}), {"images": ["*", "nginx"]}]},
			concat(": ", [
				`rules[1]: "nginx" is not a pattern`,
				"write registry/repository, as docker.io/library/*; in the registry * is one label",
			]),
		],
		"a member that is not known": [object.union(complete, {"unmached": "allow"}), "unmached is not known"],
		"a member of a rule that is not known": [_with_rule({"polcy": "a"}), "rules[0]: polcy is not known"],
		"a member of an exemption that is not known": [
			_with_rule({"exempt": {"reason": "a", "untl": "2027-01-01"}}),
			"rules[0]: untl is not known",
		],
		"a provider": [object.union(complete, {"provider": ""}), "provider is not the name of a Provider"],
		"unmatched": [object.union(complete, {"unmatched": "Allow"}), "unmatched is not deny or allow"],
		"warnings": [object.union(complete, {"warnings": true}), "warnings is not ignore or violate"],
		"requireDigest": [object.union(complete, {"requireDigest": "yes"}), "requireDigest is not true or false"],
		"verifyUnchanged": [object.union(complete, {"verifyUnchanged": 1}), "verifyUnchanged is not true or false"],
		"a template of a policy without a place": [
			object.union(complete, {"policyFromNamespace": "tenant"}),
			"policyFromNamespace is not the name of a policy with %s for the namespace",
		],
		"a template of a policy with two places": [
			_with_rule({"policyFromNamespace": "%s%s"}),
			"rules[0]: policyFromNamespace is not the name of a policy with %s for the namespace",
		],
		"T-44 a policy that would be another option": [
			_with_rule({"policy": "prod&level=audit"}),
			"rules[0]: policy is not the name of a policy",
		],
		"T-44 a template that would be another option": [
			_with_rule({"policyFromNamespace": "%s&level=audit"}),
			"rules[0]: policyFromNamespace is not the name of a policy with %s for the namespace",
		],
		"a level": [_with_rule({"level": "skip"}), "rules[0]: level is not strict, permissive or audit"],
		"policy twice": [
			_with_rule({"policy": "a", "policyFromNamespace": "%s"}),
			"rules[0]: policy and policyFromNamespace exclude each other",
		],
		"exempt with a policy": [
			_with_rule({"exempt": {"reason": "a"}, "policy": "a"}),
			"rules[0]: exempt and policy exclude each other",
		],
		"exempt with a level": [
			_with_rule({"exempt": {"reason": "a"}, "level": "audit"}),
			"rules[0]: exempt and level exclude each other",
		],
		"exempt with a policy from the namespace": [
			_with_rule({"exempt": {"reason": "a"}, "policyFromNamespace": "%s"}),
			"rules[0]: exempt and policyFromNamespace exclude each other",
		],
		"exempt that is no object": [_with_rule({"exempt": true}), "rules[0]: exempt is not an object"],
		"exempt that is null": [_with_rule({"exempt": null}), "rules[0]: exempt is not an object"],
		"exempt without a reason": [_with_rule({"exempt": {}}), "rules[0]: exempt has no reason"],
		"exempt with a blank reason": [_with_rule({"exempt": {"reason": " "}}), "rules[0]: reason is not a text"],
	}
	some name, [parameters, want] in cases
	rules.invalid(parameters) == {want}
}

test_invalid_date[name] if {
	cases := {sprintf("T-44 %s is no day", [json.marshal(until)]): until | some until in {
		"", "2027", "2027-6-30", "2027-06-31", "2027-02-30", "2027-00-10", "2027-13-01", "2027-06-00", "30-06-2027",
		"2027/06/30", "2027-06-30T00:00:00Z", " 2027-06-30", "2027-06-30\n", "never", 20270630, null, false,
	}}
	some name, until in cases
	rules.invalid(_with_rule({"exempt": {"reason": "a", "until": until}})) == {"rules[0]: until is not a day, YYYY-MM-DD"}
}

test_all_that_is_wrong_is_told if {
	parameters := {"rules": [{"images": ["nginx"], "level": "x"}], "unmatched": "x"}
	count(rules.invalid(parameters)) == 3
}
