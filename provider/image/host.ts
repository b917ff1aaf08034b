// The productions of a registry's address, from the grammar at the head of the Go module
// github.com/distribution/reference (`domain`, `domain-name`, `domain-component`, `port-number`), narrowed
// wherever two programs could take one spelling for two addresses, or two spellings for one. Addresses are
// compared exactly everywhere in the provider, with the configuration and with the scopes of trust policies.

/**
 * `domain-component`: letters, digits and hyphens, no hyphen at either end. Lower case only: the grammar
 * allows capitals and keeps them, DNS ignores them, and the mirrors of container runtimes are looked up by
 * the spelling. To lower the case here would judge another spelling than the one that the node pulls; so it is refused.
 */
const LABEL = "[a-z0-9]+(?:-+[a-z0-9]+)*";

/** `domain-name`: components joined by dots; none is empty, so there is no dot at the end. */
const DOMAIN_NAME = `${LABEL}(?:\\.${LABEL})*`;

/** `IPv6address` in brackets, without a zone. Which spellings are meant is checked afterwards. */
const IPV6 = "\\[[0-9a-f:]{2,39}\\]";

/** `port-number`, one spelling each: no zero in front. Its range is checked afterwards. */
const PORT = "[1-9][0-9]{0,4}";

/** `domain`: `host [":" port-number]`. */
const HOST = new RegExp(`^(?<name>${DOMAIN_NAME}|${IPV6})(?::(?<port>${PORT}))?$`);

/** A number from 0 to 255 without zeros in front. @see RFC 3986 3.2.2, "dec-octet" */
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^(?:${OCTET}\\.){3}${OCTET}$`);

/**
 * A name whose last component is a number is an IPv4 address to some readers (`0x7f.1`, `2130706433`) and a
 * name to others. @see WHATWG URL, "ends in a number checker"
 */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

/** Longest host and port: a name of DNS has 253 characters. @see RFC 1035 2.3.4 */
const MAX_LENGTH = 253 + ":65535".length;

/**
 * Whether a text is the address of a registry in the one spelling that we accept: `host[:port]`, where the host is
 * a lower-case name, an IPv4 address in four decimal numbers, or an IPv6 address in brackets as RFC 5952 writes it.
 * A port that is the default one stays another address than no port: nobody here knows the scheme.
 */
export function isHost(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const { name, port } = HOST.exec(text)?.groups ?? {};
  if (name === undefined || Number(port ?? 1) > 65_535) return false;
  if (name.startsWith("[")) return isCanonicalIpv6(name);
  return !ENDS_IN_NUMBER.test(name) || IPV4.test(name);
}

/** The URL parser knows the grammar of RFC 4291 and prints the one spelling of RFC 5952. */
function isCanonicalIpv6(name: string): boolean {
  const url = `http://${name}/`;
  return URL.canParse(url) && new URL(url).hostname === name;
}
