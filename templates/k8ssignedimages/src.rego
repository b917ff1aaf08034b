# METADATA
# title: Signed images
# description: >-
#   Refuses objects that would run images which did not come back verified. One call of the provider per object and
#   constraint; everything that decides is in the libraries, and works on values.
package k8ssignedimages

import data.lib.images
import data.lib.rules
import data.lib.verdicts

# METADATA
# description: What Gatekeeper reads. It never cuts the details, which are in its log and exports.
violation contains {"msg": msg, "details": {"image": image, "code": _code(problem)}} if {
	some [image, problem] in _problems
	not problem in _common
	msg := verdicts.message(image, problem)
}

# What is wrong with no image in particular is said once, and names none.
violation contains {"msg": problem, "details": {"code": _code(problem)}} if {
	some [_, problem] in _problems
	problem in _common
}

_code(problem) := split(problem, ":")[0]

# Default deny: by negation, over the images of the object.
_problems contains [image, _reason(image)] if {
	some image in _images
	not image in _admitted
}

_problems contains [image, problem] if {
	_parameters.warnings == "violate"
	some image, outcome in _outcomes
	some problem in verdicts.warnings(_response, outcome.asked)
}

_admitted contains image if {
	some image, outcome in _outcomes
	outcome.admitted
}

_admitted contains image if {
	some image, outcome in _outcomes
	outcome.asked in _passed
}

_reason(image) := reason if {
	reason := _outcomes[image].refused
} else := reason if {
	reason := _refused[_outcomes[image].asked]
} else := _too_many if {
	_are_too_many
} else := _invalid_parameters

# Problems of the object, of the constraint, and of the call.
_common := {_too_many, _invalid_parameters} | {failure | failure := verdicts.failure(_response)}

_too_many := sprintf("TOO_MANY_IMAGES: an object may have %d images", [_most_images])

_invalid_parameters := sprintf("INVALID_PARAMETERS: %s", [concat("; ", _invalid)])

# Whoever writes an object could make its review last longer than the webhook waits.
_are_too_many if count(_images) > _most_images

_most_images := 256

# Asked once, and not for each image.
_passed := verdicts.passed(_response)

_refused := verdicts.problems(_response, _keys)

# An array, because the built-in takes no set; sorted and free of repetition, because it is made from a set.
_keys := [key | some key in {outcome.asked | some outcome in _outcomes}]

# A built-in that fails is undefined, and must read as "nothing verified".
default _response := {}

_response := external_data({"provider": object.get(_parameters, "provider", "notation"), "keys": _keys}) if {
	count(_keys) > 0
}

# Under parameters that are wrong nobody knows which rule was meant to decide, so none does.
_outcomes := {image: rules.decide(image, _context) |
	not _are_too_many
	count(_invalid) == 0
	some image in _images
}

default _invalid := {"they cannot be read"}

_invalid := rules.invalid(_parameters)

_context := {
	"parameters": _parameters,
	"namespace": object.get(input.review, "namespace", ""),
	"today": time.format([time.now_ns(), "UTC", "2006-01-02"]),
}

_parameters := object.get(input, "parameters", {})

# The images to judge: all that the object has, unless it is known that it runs nothing new.
_images := set() if {
	_operation in {"DELETE", "CONNECT"}
} else := set() if {
	_operation == "UPDATE"
	_brings_nothing_new
	_may_pass_unasked
} else := _present

# Audit has none.
_operation := object.get(input.review, "operation", "")

_present := images.of(object.get(input.review, "object", {}))

_before := object.get(input.review, "oldObject", null)

# Each image stood in the object before: a label, a finalizer, a scale-down. Where in the object an image stands makes
# no difference, because its verdict is that of the image. One new image, and all of them are judged.
_brings_nothing_new if count(_present - images.of(_before)) == 0

# Gatekeeper's expansion reviews the Pod that an UPDATE of a workload implies without the one from before. That Pod is
# judged when it is created; to judge it here would hold up each label, scale-down and deletion of a workload that is
# refused since. Of a Pod that is updated itself the API server always says what it was.
_brings_nothing_new if _before == null

_may_pass_unasked if not _parameters.verifyUnchanged

# What is being deleted must be able to go: its finalizers are removed by updates. The mark is believed because the API
# server writes the old object.
_may_pass_unasked if _before.metadata.deletionTimestamp
