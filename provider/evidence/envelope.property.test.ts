import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "cborg";
import * as fc from "fast-check";
import { createAuthority } from "../../testing/signing/authority.ts";
import {
  COSE,
  cose,
  coseHeader,
  JWS,
  jws,
  jwsHeader,
  payloadOf,
  sealCose,
  sealJws,
} from "../../testing/signing/envelope.ts";
import { isCritical } from "./envelope-der.ts";
import { readEnvelope } from "./envelope.ts";

const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"a".repeat(64)}`,
  size: 528,
};
const authority = await createAuthority({ name: "Example root" });
const signer = await authority.issue({ commonName: "signer" });
const good = { signer, subject };
const kinds = fc.constantFrom(JWS, COSE);
const BASIC_CONSTRAINTS = Uint8Array.of(0x55, 0x1d, 0x13);

/** Claims with a scheme that is known, or malformed with a sentence: there is no third outcome. */
function assertOutcome(read: ReturnType<typeof readEnvelope>): void {
  if ("kind" in read) {
    assert.equal(read.reason, "MALFORMED_SIGNATURE");
    assert.match(read.sentence, /./);
  } else {
    assert.match(read.signer.scheme, /^notary\.x509(?:\.signingAuthority)?$/);
    assert.match(read.signedAt ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  }
}

test("F-08 any bytes are malformed and never an exception", () => {
  fc.assert(
    fc.property(kinds, fc.uint8Array({ maxLength: 400 }), (kind, bytes) => {
      const read = readEnvelope(kind, bytes);
      assert.equal("reason" in read && read.reason, "MALFORMED_SIGNATURE");
    }),
  );
});

test("F-08 any JSON and any CBOR are malformed and never an exception", () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 6 }),
      fc.array(fc.anything({ maxDepth: 2 })),
      (text, values) => {
        assert.equal("reason" in readEnvelope(JWS, Buffer.from(text)), true);
        const items = values.filter(
          (value) => typeof value !== "bigint" && typeof value !== "symbol",
        );
        let bytes: Uint8Array;
        try {
          bytes = encode(items);
        } catch {
          return;
        }
        const tagged = Buffer.concat([Buffer.of(0xd2, 0x84), bytes.subarray(1)]);
        assert.equal("reason" in readEnvelope(COSE, tagged), true);
      },
    ),
  );
});

const originals = [jws(good), cose(good)];
test("F-08 a good envelope with bytes changed, cut out or repeated is claims or malformed", () => {
  const edits = fc.array(
    fc.record({ at: fc.nat(4000), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...originals), edits, (original, changes) => {
      let bytes: Buffer = original;
      for (const { at, cut, put } of changes) {
        const place = at % bytes.length;
        bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
      }
      assertOutcome(readEnvelope(JWS, bytes));
      assertOutcome(readEnvelope(COSE, bytes));
    }),
    { numRuns: 500 },
  );
});

const names = fc.constantFrom(
  "alg",
  "cty",
  "crit",
  "x",
  "__proto__",
  ...["signingScheme", "signingTime", "authenticSigningTime", "expiry"].map(
    (name) => `io.cncf.notary.${name}`,
  ),
  "io.cncf.notary.verificationPlugin",
  "io.cncf.notary.verificationPluginMinVersion",
  "com.amazonaws.signer.signingJob",
);
const values = fc.oneof(
  fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)),
  fc.string(),
  fc.array(names),
  fc.constantFrom("notary.x509", "notary.x509.signingAuthority", "2026-11-02T10:00:00Z"),
  fc.constant("com.amazonaws.signer.notation.plugin"),
);

test("any header that a signer may write is claims or malformed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values), { maxLength: 6 }), (members) => {
      const header = Object.fromEntries([...Object.entries(jwsHeader(good)), ...members]);
      assertOutcome(readEnvelope(JWS, sealJws({ signer, header, payload: payloadOf(good) })));
      const map = new Map([...coseHeader(good), ...members]);
      assertOutcome(
        readEnvelope(COSE, sealCose({ signer, header: map, payload: payloadOf(good) })),
      );
    }),
    { numRuns: 200 },
  );
});

test("T-25 a plugin's name is claimed byte for byte, or the envelope is malformed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (plugin) => {
      for (const read of [
        readEnvelope(JWS, jws({ ...good, plugin })),
        readEnvelope(COSE, cose({ ...good, plugin })),
      ]) {
        if ("kind" in read) assert.equal(plugin.trim(), "");
        else assert.equal(read.plugin, plugin);
      }
    }),
    { numRuns: 100 },
  );
});

test("an extension of a certificate cut or changed anywhere is read without an exception", () => {
  const der = authority.root;
  assert.equal(isCritical(der, BASIC_CONSTRAINTS), true);
  assert.equal(isCritical(der, Uint8Array.of(0x55, 0x1d, 0x99)), false);
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
      assert.equal(isCritical(der.subarray(0, at), BASIC_CONSTRAINTS), false);
      const copy = Buffer.from(der);
      copy[at] = byte;
      assert.equal(typeof isCritical(copy, BASIC_CONSTRAINTS), "boolean");
    }),
  );
});

test("extensions are never found in arbitrary bytes, and never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(isCritical(bytes, BASIC_CONSTRAINTS), false);
    }),
  );
});
