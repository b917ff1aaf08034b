import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { createAddressCheck } from "./address.ts";

const OPEN = [
  "8.8.8.8",
  "52.95.110.1",
  "172.32.0.1",
  "11.0.0.1",
  "100.128.0.1",
  "2600:1f18::1",
  "2a00:1450::1",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
];

const CLOSED = [
  "127.0.0.1",
  "127.255.255.255",
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "100.127.255.255",
  "168.63.129.16",
  "169.254.169.254",
  "169.254.170.2",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.1",
  "192.0.2.1",
  "192.168.1.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:A9FE:A9FE",
  "0:0:0:0:0:ffff:7f00:0001",
  "::ffff:0:127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b::169.254.169.254",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "3fff::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "2600:1f18::1%lo",
  "fec0::1",
  "ff02::1",
  "4000::1",
];

const NO_ADDRESSES = [
  "",
  "localhost",
  "127.1",
  "0x7f.0.0.1",
  "2130706433",
  "127.0.0.1 ",
  "[::1]",
  "1.2.3.4.5",
  "8.8.8.8/32",
];

for (const address of OPEN) {
  test(`${address} is open by default`, () => assert.equal(createAddressCheck([])(address), true));
}
for (const address of [...CLOSED, ...NO_ADDRESSES]) {
  test(`F-12 ${JSON.stringify(address)} is closed by default`, () =>
    assert.equal(createAddressCheck([])(address), false));
}

const OPENED: readonly (readonly [cidr: string, address: string, want: boolean])[] = [
  ["10.0.0.0/8", "10.1.2.3", true],
  ["10.0.0.0/8", "172.16.0.1", false],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true],
  ["127.0.0.1/32", "127.0.0.1", true],
  ["127.0.0.1/32", "127.0.0.2", false],
  ["fd12::/16", "fd12::1", true],
  ["fd12::/16", "fd13::1", false],
  ["::1/128", "::1", true],
  ["0.0.0.0/0", "192.168.0.1", true],
  ["0.0.0.0/0", "::1", false],
  ["0.0.0.0/0", "169.254.169.254", false],
  ["169.254.169.254/32", "169.254.169.254", false],
  ["169.254.0.0/16", "::ffff:169.254.169.254", false],
  ["168.63.129.16/32", "168.63.129.16", false],
  ["0.0.0.0/0", "168.63.129.17", true],
  ["100.64.0.0/10", "100.100.100.200", false],
  ["100.64.0.0/10", "100.100.100.201", true],
  ["0.0.0.0/0", "64:ff9b::a9fe:a9fe", false],
  ["::/0", "fd00:c1::a9fe:a9fe", false],
  ["::/0", "fd00:ec2::254", false],
  ["::/0", "fd20:ce::254", false],
  ["::/0", "fe80::1", false],
  ["::/0", "ff02::1", false],
  ["::/0", "fd12::1", true],
  ["::/0", "10.0.0.1", false],
];

for (const [cidr, address, want] of OPENED) {
  test(`F-12 ${cidr} ${want ? "opens" : "does not open"} ${address}`, () =>
    assert.equal(createAddressCheck([cidr])(address), want));
}

const CIDRS = ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "::/0", "fd00::/8", "::1/128"];
const NO_CIDRS = [
  "",
  "10.0.0.0",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/08",
  "10.0.0/8",
  "::/129",
  "fe80::1%eth0/64",
  "x/8",
  "10.0.0.0/8/8",
  "10.0.0.0/8 ",
  "10.0.0.0/1e1",
];

for (const text of CIDRS) test(`${text} is a CIDR`, () => void createAddressCheck([text]));
for (const text of NO_CIDRS) {
  test(`${JSON.stringify(text)} is no CIDR`, () =>
    assert.throws(() => createAddressCheck([text]), TypeError));
}

test("every spelling of a mapped address is judged as the IPv4 address in it", () => {
  const isOpen = createAddressCheck([]);
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
      const groups = `${hex.slice(0, 2).join("")}:${hex.slice(2).join("")}`;
      assert.equal(isOpen(`::ffff:${address}`), isOpen(address));
      assert.equal(isOpen(`0:0:0:0:0:FFFF:${groups}`), isOpen(address));
      assert.equal(isOpen(`64:ff9b::${groups}`), isOpen(address));
    }),
  );
});

test("any text has an answer", () => {
  const isOpen = createAddressCheck(["::/0", "0.0.0.0/0"]);
  fc.assert(fc.property(fc.string(), (text) => typeof isOpen(text) === "boolean"));
});
