# A provider for gator, which has no external_data: added to a copy of the template, never to the one that is shipped,
# where it would take the place of the built-in. What the repository is called is what becomes of the image.
package k8ssignedimages

external_data(request) := {
	"responses": [[key, value] | some key in request.keys; value := _sample_values[_sample_kind(key)]],
	"errors": [[key, text] | some key in request.keys; text := _sample_errors[_sample_kind(key)]],
	"status_code": 200,
	"system_error": concat("\n", [line |
		some key in request.keys
		_sample_kind(key) == "slow"
		line := sprintf("%s: TIMEOUT: not decided in time", [key])
	]),
}

# The policy of a tenant trusts who signs in the tenant's own repositories.
_sample_kind(key) := "stranger" if {
	[[_, repository, tenant]] := regex.find_all_string_submatch_n(`/(\w+)/.*\?policy=tenant-(\w+)`, key, 1)
	repository != tenant
} else := split(regex.find_n(`\w+[^/]*$`, key, 1)[0], ":")[0]

_sample_values := {
	"signed": {"outcome": "verified"},
	"expired": {"outcome": "verified", "warnings": [{"check": "expiry", "message": "since 2026-01-01"}]},
}

_sample_errors := {
	"unsigned": "UNSIGNED: the registry lists no signature",
	"stranger": "UNTRUSTED_SIGNER: signed by nobody in the trust stores",
}
