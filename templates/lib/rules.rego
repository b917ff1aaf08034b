# METADATA
# title: Rules
# description: >-
#   Which rule of a constraint decides about an image, and what it says: admit, refuse, or ask the provider with a key.
#   Exactly one rule decides, the first that matches; two exceptions never add up to a third.
package lib.rules

import data.lib.images

# METADATA
# description: >-
#   What becomes of one image: `{"admitted": why}`, `{"refused": "CODE: sentence"}` or `{"asked": key}`. The context has
#   the constraint's `parameters` (in which `invalid` finds nothing), the `namespace`, and `today` as YYYY-MM-DD.
decide(image, context) := {"refused": sprintf("INVALID_REFERENCE: not %s", [_form])} if {
	not images.parse(image)
} else := {"admitted": "no rule matches it, and unmatched is allow"} if {
	not _rule(image, context)
	context.parameters.unmatched == "allow"
} else := {"refused": "NO_RULE: no rule of the constraint matches it"} if {
	not _rule(image, context)
} else := {"admitted": exempt.reason} if {
	exempt := _rule(image, context).exempt
	_is_in_force(exempt, context.today)
} else := {"refused": sprintf("EXEMPTION_ENDED: exempt until %s: %s", [exempt.until, exempt.reason])} if {
	exempt := _rule(image, context).exempt
} else := {"refused": "DIGEST_REQUIRED: a tag can move to another image; add @sha256:…"} if {
	context.parameters.requireDigest
	not images.parse(image).digest
} else := {"asked": key} if {
	key := _key(image, _rule(image, context), context)
} else := {"refused": "INVALID_PARAMETERS: an object without a namespace names no policy"} if {
	context.namespace == ""
} else := {"refused": sprintf("INVALID_PARAMETERS: the name of the policy of %q is too long", [context.namespace])}

# METADATA
# description: >-
#   What is wrong with a constraint's parameters, a set of sentences that name the member. The template's schema refuses
#   nearly all of it; what was stored under an older schema, or past it, still arrives here.
invalid(parameters) := {"they are not an object"} if {
	not is_object(parameters)
} else := union({
	_unknown(parameters, _members),
	_unlike(parameters, "provider", `^[a-z0-9][a-z0-9.-]*$`, "the name of a Provider"),
	_unlike(parameters, "unmatched", `^(?:deny|allow)$`, "deny or allow"),
	_unlike(parameters, "warnings", `^(?:ignore|violate)$`, "ignore or violate"),
	_unlike(parameters, "policyFromNamespace", _template, "the name of a policy with %s for the namespace"),
	_not_boolean(parameters, {"requireDigest", "verifyUnchanged"}),
	{"rules has no rule" | not _is_list(object.get(parameters, "rules", []))},
	{sprintf("rules[%d]: %s", [i, sentence]) |
		some i, rule in object.get(parameters, "rules", [])
		some sentence in _invalid_rule(rule)
	},
})

_form := "[host[:port]/]repository[:tag][@sha256:digest] in lower case"

_members := {
	"provider",
	"rules",
	"unmatched",
	"requireDigest",
	"warnings",
	"verifyUnchanged",
	"policyFromNamespace",
}

# The first rule with a pattern that matches; undefined when there is none.
_rule(image, context) := context.parameters.rules[min({i |
	reference := images.parse(image)
	some i, rule in context.parameters.rules
	images.cover(rule.images, reference)
})]

_is_in_force(exempt, _) if not exempt.until

# Dates of this form are in the order of their letters.
_is_in_force(exempt, today) if today <= exempt.until

# The image as it was written, and the options: the provider's answer is kept by this text.
_key(image, rule, context) := concat("", [image, _options(_policy(rule, context), object.get(rule, "level", ""))])

_options(policy, level) := sprintf("?policy=%s&level=%s", [policy, level]) if {
	policy != ""
	level != ""
} else := sprintf("?policy=%s", [policy]) if {
	policy != ""
} else := sprintf("?level=%s", [level]) if {
	level != ""
} else := ""

# What the rule says comes before what the constraint says; undefined for a namespace that gives no name.
_policy(rule, _) := rule.policy

_policy(rule, context) := _named(_template_of(rule, context), context.namespace) if not rule.policy

_template_of(rule, context) := object.get(
	rule,
	"policyFromNamespace",
	object.get(context.parameters, "policyFromNamespace", ""),
)

_named("", _) := ""

_named(template, namespace) := policy if {
	template != ""
	namespace != ""
	policy := replace(template, "%s", namespace)
	regex.match(_policy_name, policy)
}

# The name of a file in the provider's trust directory. @see provider/protocol/key.ts
_policy_name := `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`

_template := `^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,62})?%s[A-Za-z0-9_.-]{0,63}$`

# A day that a calendar has; 29 February in any year.
_date := sprintf(`^[0-9]{4}-(?:%s|%s|%s)$`, [
	`(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])`,
	`(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)`,
	`02-(?:0[1-9]|[12][0-9])`,
])

_invalid_rule(rule) := {"not a rule"} if {
	not is_object(rule)
} else := union({
	_unknown(rule, {"images", "exempt", "policy", "level", "policyFromNamespace"}),
	_unlike(rule, "policy", _policy_name, "the name of a policy"),
	_unlike(rule, "policyFromNamespace", _template, "the name of a policy with %s for the namespace"),
	_unlike(rule, "level", `^(?:strict|permissive|audit)$`, "strict, permissive or audit"),
	{"images has no pattern" | not _is_list(object.get(rule, "images", []))},
	{sprintf("%s is not a pattern: %s", [json.marshal(pattern), _pattern_form]) |
		some pattern in object.get(rule, "images", [])
		not images.is_pattern(pattern)
	},
	{sprintf("%s exclude each other", [concat(" and ", both)]) |
		some both in _exclusive
		every name in both {
			name in object.keys(rule)
		}
	},
	{sentence |
		"exempt" in object.keys(rule)
		some sentence in _invalid_exempt(rule.exempt)
	},
})

_exclusive := [
	["exempt", "policy"],
	["exempt", "level"],
	["exempt", "policyFromNamespace"],
	["policy", "policyFromNamespace"],
]

_pattern_form := "write registry/repository, as docker.io/library/*; in the registry * is one label"

_invalid_exempt(exempt) := {"exempt is not an object"} if {
	not is_object(exempt)
} else := union({
	_unknown(exempt, {"reason", "until"}),
	{"exempt has no reason" | not "reason" in object.keys(exempt)},
	_unlike(exempt, "reason", `\S`, "a text"),
	_unlike(exempt, "until", _date, "a day, YYYY-MM-DD"),
})

_is_list(value) if {
	is_array(value)
	count(value) > 0
}

_unknown(members, known) := {sprintf("%s is not known", [name]) | some name in (object.keys(members) - known)}

_unlike(members, name, expression, words) := {sprintf("%s is not %s", [name, words]) |
	name in object.keys(members)
	not _is_like(members[name], expression)
}

_is_like(value, expression) if {
	is_string(value)
	regex.match(expression, value)
}

_not_boolean(members, names) := {sprintf("%s is not true or false", [name]) |
	some name in (object.keys(members) & names)
	not is_boolean(members[name])
}
