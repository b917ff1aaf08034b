# METADATA
# title: Verdicts
# description: >-
#   What a provider's response says of each key. Pure functions: the response of `external_data` comes in as a value,
#   `{}` for a call that failed. Whatever is not an explicit pass is refused.
package lib.verdicts

# METADATA
# description: >-
#   Why each key that did not pass is refused, an object from key to `CODE: sentence`; empty when all passed. Negation
#   over a set that is always defined: an error, a key left out, a null value, a failed call are refusals alike.
problems(response, keys) := {key: object.get(told, key, otherwise) |
	admitted := passed(response)
	told := _told(response)
	otherwise := _otherwise(response)
	some key in keys
	not key in admitted
}

# METADATA
# description: >-
#   Why there is no answer to the request as a whole, `CODE: sentence`: the problem of every key of which nothing else
#   is said. Undefined for a response that answers.
failure(response) := lines[0] if {
	# A line about the whole request begins with a code, which no image does.
	lines := [line | some line in _lines(response); regex.match(`^[A-Z]+(?:_[A-Z]+)*: `, line)]
	count(lines) > 0
} else := sprintf("PROVIDER_FAILED: %s", [causes[0]]) if {
	# Gatekeeper's own words hold the provider's address, and are not shown.
	causes := [sentence | some [words, sentence] in _causes; contains(response.system_error, words)]
	count(causes) > 0
}

# METADATA
# description: >-
#   The keys that came back verified, or skipped by the trust policy. A key of which the response says two things has
#   not passed, and the status code is not looked at: it is 0 when all answers came from Gatekeeper's cache.
passed(response) := {key | some [key, value] in response.responses; _accepts(value)} - _contradicted(response)

# METADATA
# description: What the provider found out about a key that passed (who signed, when, …); undefined for any other key.
facts(response, key) := values[0] if {
	key in passed(response)
	values := [value | some [name, value] in response.responses; name == key]
}

# METADATA
# description: >-
#   Checks that failed for a key that passed, because its level only logs them: a set of `CHECK_FAILED: check: message`.
warnings(response, key) := {sprintf("CHECK_FAILED: %s: %s", [warning.check, warning.message]) |
	some warning in facts(response, key).warnings
}

# METADATA
# description: >-
#   `<image>: CODE: sentence`. Audit keeps 256 bytes of it. Where it is longer, the digest of the image and then the
#   image are shortened, to 60 bytes at least, so that the code is always among them. Of the image only printable ASCII
#   is shown, so that nobody writes lines of his own to a terminal.
message(image, problem) := sprintf("%s: %s", [_shown(_plain(image), max([60, 254 - _bytes(problem)])), problem])

# One byte each.
_plain(image) := regex.replace(sprintf("%v", [image]), `[^!-~]`, "?")

_bytes(text) := count(hex.encode(text)) / 2

_accepts(value) if value.outcome in {"verified", "skipped"}

_contradicted(response) := union({
	{key | some [key, _] in response.errors},
	{key | some [key, value] in response.responses; not _accepts(value)},
})

# What the response says of single keys, from key to text: errors come before lines of the system error, the first of
# each before others.
_told(response) := object.union_n(array.reverse(array.concat(
	[{name: text} | some [name, text] in response.errors],
	[{line[0]: line[1]} | some text in _lines(response); line := _cut(text)],
)))

_cut(text) := [substring(text, 0, colon), substring(text, colon + 2, -1)] if {
	colon := indexof(text, ": ")
	colon > 0
}

_otherwise(response) := text if {
	text := failure(response)
} else := "NO_VERDICT: the provider did not answer for this image"

_lines(response) := split(response.system_error, "\n")

# In Gatekeeper's words for a call that brought no answer, the last row stands for all the others.
_causes := [
	["key is not found in provider cache", "Gatekeeper knows no Provider of this name"],
	["context deadline exceeded", "no answer within the Provider's timeout"],
	["failed to unmarshal external data response", "the answer was not a ProviderResponse"],
	["tls:", "no mutual TLS between Gatekeeper and the provider"],
	["x509:", "no mutual TLS between Gatekeeper and the provider"],
	["connection refused", "nothing listens at the Provider's url"],
	["no such host", "the host of the Provider's url is not known"],
	["failed to ", "Gatekeeper could not ask it"],
]

_shown(image, room) := image if {
	count(image) <= room
} else := _ends(_short_digest(image), room)

_short_digest(image) := regex.replace(image, `(@sha256:[0-9a-f]{12})[0-9a-f]{52}$`, "$1...")

# Both ends of a long name say more than its beginning alone.
_ends(image, room) := image if {
	count(image) <= room
} else := sprintf("%s...%s", [substring(image, 0, half), substring(image, count(image) - half, -1)]) if {
	half := floor((room - 3) / 2)
}
