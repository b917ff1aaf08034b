import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** Whether a connection to an address, `10.0.0.1` or `fd00::1`, may be opened. */
export type IsOpenAddress = (address: string) => boolean;

type Family = "ipv4" | "ipv6";

/**
 * Not reachable from the public Internet, so that a registry's name, realm or redirect could only mean something
 * near us. Opened by CIDR, for a registry in the same network.
 * @see IANA IPv4 Special-Purpose Address Registry
 */
const SPECIAL_IPV4 = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
];

/**
 * Everything but global unicast, and those parts of it that hold another address or none at all.
 * @see IANA IPv6 Special-Purpose Address Registry
 */
const SPECIAL_IPV6 = [
  "::/3",
  "4000::/2",
  "8000::/1",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
];

/**
 * Opened by nothing: metadata services of clouds, which hand out credentials, and addresses that are no host.
 * A range such as `0.0.0.0/0` in the configuration must not reach them by accident.
 */
const CLOSED = [
  "0.0.0.0/8",
  // Alibaba Cloud, Azure, and link-local for all the others.
  "100.100.100.200/32",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  // Oracle Cloud, AWS, Google Cloud.
  "fd00:c1::a9fe:a9fe/128",
  "fd00:ec2::/32",
  "fd20:ce::254/128",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

/** IPv6 addresses that hold an IPv4 address in their last 32 bits: mapped (RFC 4291 2.5.5.2) and NAT64 (RFC 6052 2.1). */
const HOLDS_IPV4 = /^(?:::ffff:|64:ff9b::)(?<last>[0-9a-f:.]+)$/;

/**
 * @param allowed CIDRs that open what is closed by default
 * @throws TypeError for a text that is not a CIDR
 */
export function createAddressCheck(allowed: readonly string[]): IsOpenAddress {
  const isClosed = createMembership(CLOSED);
  const isSpecial = createMembership([...SPECIAL_IPV4, ...SPECIAL_IPV6]);
  const isOpened = createMembership(allowed);
  return (text) => {
    const address = meantAddress(text);
    if (address === undefined || isClosed(address)) return false;
    return !isSpecial(address) || isOpened(address);
  };
}

/** The address that a connection would reach: an IPv4 address inside of an IPv6 one is judged as IPv4. */
function meantAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  // A zone names an interface of this machine; only link-local addresses need one.
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const last = HOLDS_IPV4.exec(canonical)?.groups?.["last"];
  return last === undefined ? canonical : dotted(last);
}

/** The last two groups of a canonical IPv6 address, `7f00:1`, as `127.0.0.1`; undefined when there are not two. */
function dotted(groups: string): string | undefined {
  const [high, low, ...more] = groups.split(":").map((group) => Number.parseInt(group, 16));
  if (high === undefined || more.length > 0) return undefined;
  const [upper, lower] = low === undefined ? [0, high] : [high, low];
  if (!(upper >= 0 && lower >= 0)) return undefined;
  return [upper >> 8, upper & 255, lower >> 8, lower & 255].join(".");
}

/** One list for each family: Node takes an IPv4 address for its mapped form when a list has IPv6 ranges, and `::/3` for all of them. */
function createMembership(cidrs: readonly string[]): (address: string) => boolean {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const text of cidrs) {
    const cidr = readCidr(text);
    if (cidr === undefined) throw new TypeError(`not a CIDR: ${JSON.stringify(text)}`);
    lists[cidr.family].addSubnet(cidr.network, cidr.bits, cidr.family);
  }
  return (address) => {
    const family = familyOf(address);
    return lists[family].check(address, family);
  };
}

interface Cidr {
  readonly network: string;
  readonly bits: number;
  readonly family: Family;
}

function readCidr(text: string): Cidr | undefined {
  if (text.length > 64) return undefined;
  const [network = "", digits = "", ...more] = text.split("/");
  if (more.length > 0 || isIP(network) === 0 || network.includes("%")) return undefined;
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
  const family = familyOf(network);
  const bits = Number(digits);
  return bits <= (family === "ipv4" ? 32 : 128) ? { network, bits, family } : undefined;
}

const familyOf = (address: string): Family => (isIPv4(address) ? "ipv4" : "ipv6");
