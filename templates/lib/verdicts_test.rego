package lib.verdicts_test

import data.lib.verdicts

verified := {"outcome": "verified", "signer": {"subject": "CN=team"}}

no_verdict := "NO_VERDICT: the provider did not answer for this image"

# T-48: the truth table. The status code is in no row that it decides.
responses := {
	"T-48 verified passes": [{"responses": [["a", verified]]}, {}],
	"T-48 skipped passes": [{"responses": [["a", {"outcome": "skipped"}]]}, {}],
	"T-48 verified passes from the cache": [_answer([["a", verified]], [], 0, ""), {}],
	"T-48 verified passes whatever the status": [_answer([["a", verified]], [], 500, ""), {}],
	"T-48 verified passes beside another image's line": [
		_answer([["a", verified]], [], 200, "b: TIMEOUT: not decided in time"),
		{},
	],
	"T-48 a failed built-in": [{}, {"a": no_verdict}],
	"T-48 null lists": [_answer(null, null, 200, ""), {"a": no_verdict}],
	"T-48 empty lists": [_answer([], [], 200, ""), {"a": no_verdict}],
	"T-48 a key left out, all others verified": [_answer([["b", verified]], [], 200, ""), {"a": no_verdict}],
	"T-48 a null value": [_answer([["a", null]], [], 200, ""), {"a": no_verdict}],
	"T-48 a text as value": [_answer([["a", "verified"]], [], 200, ""), {"a": no_verdict}],
	"T-48 true as value": [_answer([["a", true]], [], 200, ""), {"a": no_verdict}],
	"T-48 a value without outcome": [_answer([["a", {}]], [], 200, ""), {"a": no_verdict}],
	"T-48 an outcome in capitals": [_answer([["a", {"outcome": "VERIFIED"}]], [], 200, ""), {"a": no_verdict}],
	"T-48 another outcome": [_answer([["a", {"outcome": "rejected"}]], [], 200, ""), {"a": no_verdict}],
	"T-48 a key that differs in case": [_answer([["A", verified]], [], 200, ""), {"a": no_verdict}],
	"T-48 an error": [_answer([], [["a", "UNSIGNED: none"]], 200, ""), {"a": "UNSIGNED: none"}],
	"T-48 two errors": [
		_answer([], [["a", "UNSIGNED: none"], ["a", "REVOKED: by its owner"]], 200, ""),
		{"a": "UNSIGNED: none"},
	],
	"T-48 verified and an error": [
		_answer([["a", verified]], [["a", "UNSIGNED: none"]], 200, ""),
		{"a": "UNSIGNED: none"},
	],
	"T-48 verified and null": [_answer([["a", verified], ["a", null]], [], 200, ""), {"a": no_verdict}],
	"a line of the system error": [
		_answer([], [], 200, "b: OVERLOADED: one\na: TIMEOUT: two"),
		{"a": "TIMEOUT: two"},
	],
	"a line that only begins like the key": [_answer([], [], 200, "a:1: TIMEOUT: two"), {"a": no_verdict}],
	"a line of another image": [_answer([], [], 200, "b: TIMEOUT: two"), {"a": no_verdict}],
	"a line about the whole request": [
		_answer([], [], 400, "BAD_REQUEST: not a ProviderRequest"),
		{"a": "BAD_REQUEST: not a ProviderRequest"},
	],
	"an error comes before a line": [
		_answer([], [["a", "UNSIGNED: none"]], 200, "a: TIMEOUT: two"),
		{"a": "UNSIGNED: none"},
	],
	"an unknown Provider": [
		_answer(null, null, 400, "key is not found in provider cache"),
		{"a": "PROVIDER_FAILED: Gatekeeper knows no Provider of this name"},
	],
	"a time-out": [
		_answer(null, null, 500, _transport("context deadline exceeded")),
		{"a": "PROVIDER_FAILED: no answer within the Provider's timeout"},
	],
	"a connection that broke, without the address": [
		_answer(null, null, 500, _transport("EOF")),
		{"a": "PROVIDER_FAILED: Gatekeeper could not ask it"},
	],
	"a body that is not JSON": [
		_answer(null, null, 500, "failed to unmarshal external data response: unexpected end of JSON input"),
		{"a": "PROVIDER_FAILED: the answer was not a ProviderResponse"},
	],
	"a certificate that is not trusted": [
		_answer(null, null, 500, _transport("tls: failed to verify certificate: x509: unknown authority")),
		{"a": "PROVIDER_FAILED: no mutual TLS between Gatekeeper and the provider"},
	],
	"a text that says nothing known": [_answer([], [], 200, "oops"), {"a": no_verdict}],
}

_answer(values, errors, status, system) := {
	"responses": values,
	"errors": errors,
	"status_code": status,
	"system_error": system,
}

_transport(words) := sprintf(`failed to send external data request: Post "https://provider.internal:8443": %s`, [words])

test_problems[name] if {
	some name, [response, want] in responses
	verdicts.problems(response, ["a"]) == want
}

test_passed[name] if {
	some name, [response, problems] in responses
	verdicts.passed(response) - {"A", "b"} == {"a" | problems == {}}
}

test_every_key_has_its_own_problem if {
	response := _answer([["a", verified]], [["b", "UNSIGNED: none"]], 200, "c: TIMEOUT: two")
	verdicts.problems(response, ["a", "b", "c", "d"]) == {
		"b": "UNSIGNED: none",
		"c": "TIMEOUT: two",
		"d": no_verdict,
	}
}

test_no_key_has_no_problem if verdicts.problems({}, []) == {}

test_facts_are_those_of_the_key if {
	verdicts.facts(_answer([["b", {}], ["a", verified]], [], 0, ""), "a") == verified
}

test_a_key_that_did_not_pass_has_no_facts[name] if {
	cases := {name: response | some name, [response, problems] in responses; count(problems) > 0}
	some name, response in cases
	not verdicts.facts(response, "a")
}

test_warnings[name] if {
	warning := {"check": "expiry", "message": "2026-01-01"}
	cases := {
		"of a key that passed": [{"outcome": "verified", "warnings": [warning]}, {"CHECK_FAILED: expiry: 2026-01-01"}],
		"of a key without": [{"outcome": "verified"}, set()],
		"of a key that did not pass": [{"outcome": "other", "warnings": [warning]}, set()],
	}
	some name, [value, want] in cases
	verdicts.warnings({"responses": [["a", value]]}, "a") == want
}

sha := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

ecr := "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/app:v1"

test_message[name] if {
	cases := {
		"an image and its problem": ["nginx", "UNSIGNED: none", "nginx: UNSIGNED: none"],
		"a digest that fits stays whole": [
			sprintf("%s@sha256:%s", [ecr, sha]),
			"UNSIGNED: none",
			sprintf("%s@sha256:%s: UNSIGNED: none", [ecr, sha]),
		],
		"a digest beside a long sentence is shortened": [
			sprintf("%s@sha256:%s", [ecr, sha]),
			sprintf("UNSIGNED: %s", [_times("a", 130)]),
			sprintf("%s@sha256:e3b0c44298fc...: UNSIGNED: %s", [ecr, _times("a", 130)]),
		],
		"something that is no text": [5, "INVALID_REFERENCE: none", "5: INVALID_REFERENCE: none"],
		"a line of its own": ["g.io/a\n[x] ok", "X: y", "g.io/a?[x]?ok: X: y"],
		"letters that move the terminal's cursor or turn its direction": [
			"g.io/a\u001b[2K\u202eb\u007f",
			"X: y",
			"g.io/a?[2K?b?: X: y",
		],
		"letters of many bytes": ["ö😀", "X: y", "??: X: y"],
	}
	some name, [image, problem, want] in cases
	verdicts.message(image, problem) == want
}

test_the_code_is_within_what_audit_keeps[name] if {
	cases := {
		"whatever the image": [_times("a", 512), "SIGNING_IN_PROGRESS: none"],
		"an image of letters of many bytes": [_times("😀", 512), "INVALID_REFERENCE: none"],
		"a digest": [sprintf("%s@sha256:%s", [_times("a", 300), sha]), "UNSIGNED: none"],
		"a long sentence": [_times("a", 512), sprintf("SIGNING_IN_PROGRESS: %s", [_times("b", 400)])],
		"a sentence of letters of many bytes": [_times("a", 512), sprintf("EXEMPTION_ENDED: %s", [_times("😀", 100)])],
	}
	some name, [image, problem] in cases
	message := verdicts.message(image, problem)
	endswith(message, sprintf(": %s", [problem]))
	indexof(message, problem) <= max([62, 256 - (count(hex.encode(problem)) / 2)])
}

test_both_ends_of_a_long_image_are_shown if {
	message := verdicts.message(sprintf("%s-%s", [_times("a", 300), _times("b", 300)]), "UNSIGNED: none")
	regex.match(`^a{118}\.\.\.b{118}: UNSIGNED: none$`, message)
}

test_failure[name] if {
	cases := {
		"of the request": [_answer([], [], 400, "BAD_REQUEST: no"), {"BAD_REQUEST: no"}],
		"of the call": [_answer(null, null, 500, _transport("EOF")), {"PROVIDER_FAILED: Gatekeeper could not ask it"}],
		"of single keys is none": [_answer([], [["a", "UNSIGNED: none"]], 200, "b: TIMEOUT: two"), set()],
		"of a call that was not made is none": [{}, set()],
	}
	some name, [response, want] in cases
	{text | text := verdicts.failure(response)} == want
}

_times(letter, count) := concat("", [letter | some _ in numbers.range(1, count)])
