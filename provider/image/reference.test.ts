import assert from "node:assert/strict";
import { test } from "node:test";
import { isDigest, type Digest } from "./digest.ts";
import { formatReference, nameOf, parseReference, type Reference } from "./reference.ts";

const hex = "0123456789abcdef".repeat(4);
const digest: Digest = asDigest(`sha256:${hex}`);
const ecr = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

function asDigest(text: string): Digest {
  assert.ok(isDigest(text));
  return text;
}

/** What a name means: its canonical text, or its parts where the text is not enough to see them. */
const accepted: readonly { readonly text: string; readonly want: Reference }[] = [
  // Familiar names.
  { text: "nginx", want: hub("library/nginx", "latest") },
  { text: "nginx:1.27", want: hub("library/nginx", "1.27") },
  { text: `nginx@${digest}`, want: { ...place("docker.io", "library/nginx"), digest } },
  { text: `nginx:1.27@${digest}`, want: { ...hub("library/nginx", "1.27"), digest } },
  { text: "library/nginx", want: hub("library/nginx", "latest") },
  { text: "bitnami/redis", want: hub("bitnami/redis", "latest") },
  { text: "a/b/c/d", want: hub("a/b/c/d", "latest") },
  { text: "docker.io/nginx", want: hub("library/nginx", "latest") },
  { text: "docker.io/library/nginx", want: hub("library/nginx", "latest") },
  { text: "docker.io/bitnami/redis:7", want: hub("bitnami/redis", "7") },
  { text: "index.docker.io/nginx", want: hub("library/nginx", "latest") },
  { text: "index.docker.io/bitnami/redis", want: hub("bitnami/redis", "latest") },
  { text: "docker.io/index.docker.io/x", want: hub("index.docker.io/x", "latest") },
  { text: "docker.io/docker.io", want: hub("library/docker.io", "latest") },
  { text: "docker.io/localhost", want: hub("library/localhost", "latest") },
  // Neither dot nor colon, nor localhost: no registry.
  { text: "ghcr/app", want: hub("ghcr/app", "latest") },
  { text: "localhosts/app", want: hub("localhosts/app", "latest") },
  { text: "2130706433/app", want: hub("2130706433/app", "latest") },
  { text: "0x7f/app", want: hub("0x7f/app", "latest") },
  // No slash: never a registry.
  { text: "localhost", want: hub("library/localhost", "latest") },
  { text: "localhost:5000", want: hub("library/localhost", "5000") },
  { text: "ghcr.io", want: hub("library/ghcr.io", "latest") },
  { text: "ghcr.io:443", want: hub("library/ghcr.io", "443") },
  { text: "127.0.0.1", want: hub("library/127.0.0.1", "latest") },
  { text: "index.docker.io", want: hub("library/index.docker.io", "latest") },
  // Registries.
  { text: "localhost/app", want: tagged("localhost", "app", "latest") },
  { text: "localhost:5000/app", want: tagged("localhost:5000", "app", "latest") },
  { text: "localhost:5000/app:1", want: tagged("localhost:5000", "app", "1") },
  { text: "registry:5000/app", want: tagged("registry:5000", "app", "latest") },
  { text: "ghcr.io/org/app:v1", want: tagged("ghcr.io", "org/app", "v1") },
  { text: "ghcr.io:443/org/app", want: tagged("ghcr.io:443", "org/app", "latest") },
  { text: "ghcr.io:1/app", want: tagged("ghcr.io:1", "app", "latest") },
  { text: "ghcr.io:65535/app", want: tagged("ghcr.io:65535", "app", "latest") },
  { text: `${ecr}/prod/app@${digest}`, want: { ...place(ecr, "prod/app"), digest } },
  { text: "public.ecr.aws/eks/pause:3.10", want: tagged("public.ecr.aws", "eks/pause", "3.10") },
  { text: "registry-1.docker.io/nginx", want: tagged("registry-1.docker.io", "nginx", "latest") },
  { text: "docker.io:443/nginx", want: tagged("docker.io:443", "nginx", "latest") },
  { text: "xn--bcher-kva.example/app", want: tagged("xn--bcher-kva.example", "app", "latest") },
  { text: "a--b.example/app", want: tagged("a--b.example", "app", "latest") },
  { text: "1.example/app", want: tagged("1.example", "app", "latest") },
  { text: "0x7f.example/app", want: tagged("0x7f.example", "app", "latest") },
  { text: "127.0.0.1/app", want: tagged("127.0.0.1", "app", "latest") },
  { text: "127.0.0.1:5000/app", want: tagged("127.0.0.1:5000", "app", "latest") },
  { text: "[::1]/app", want: tagged("[::1]", "app", "latest") },
  { text: "[::1]:5000/app:1", want: tagged("[::1]:5000", "app", "1") },
  { text: "[2001:db8::1]:5000/app", want: tagged("[2001:db8::1]:5000", "app", "latest") },
  { text: `[fd00::2]/a/b:1@${digest}`, want: { ...tagged("[fd00::2]", "a/b", "1"), digest } },
  // Components.
  { text: "a.b/c.d", want: tagged("a.b", "c.d", "latest") },
  { text: "x/a_b", want: hub("x/a_b", "latest") },
  { text: "x/a__b", want: hub("x/a__b", "latest") },
  { text: "x/a-b", want: hub("x/a-b", "latest") },
  { text: "x/a-----b", want: hub("x/a-----b", "latest") },
  { text: "x/a.b_c__d-e", want: hub("x/a.b_c__d-e", "latest") },
  { text: "a/0", want: hub("a/0", "latest") },
  { text: "ghcr.io/a.b.c/d", want: tagged("ghcr.io", "a.b.c/d", "latest") },
  // Tags.
  { text: "nginx:_", want: hub("library/nginx", "_") },
  { text: "nginx:A.b-C_d", want: hub("library/nginx", "A.b-C_d") },
  { text: "nginx:1..2--3", want: hub("library/nginx", "1..2--3") },
  { text: "nginx:v1.", want: hub("library/nginx", "v1.") },
  { text: `nginx:${"t".repeat(128)}`, want: hub("library/nginx", "t".repeat(128)) },
  { text: "sha256:abc", want: hub("library/sha256", "abc") },
  { text: `app:${hex}`, want: hub("library/app", hex) },
  // Lengths, and digits that are no identifier.
  { text: `${hex}:1`, want: hub(`library/${hex}`, "1") },
  { text: hex.slice(1), want: hub(`library/${hex.slice(1)}`, "latest") },
  { text: `${hex}0`, want: hub(`library/${hex}0`, "latest") },
  { text: `x/${hex}`, want: hub(`x/${hex}`, "latest") },
  { text: `g.io/${"a".repeat(250)}`, want: tagged("g.io", "a".repeat(250), "latest") },
  { text: "a".repeat(237), want: hub(`library/${"a".repeat(237)}`, "latest") },
  {
    text: `index.docker.io/${"a".repeat(237)}:${"t".repeat(128)}@${digest}`,
    want: { ...hub(`library/${"a".repeat(237)}`, "t".repeat(128)), digest },
  },
];

function place(registry: string, repository: string): Reference {
  return { registry, repository };
}

function tagged(registry: string, repository: string, tag: string): Reference {
  return { registry, repository, tag };
}

function hub(repository: string, tag: string): Reference {
  return tagged("docker.io", repository, tag);
}

for (const { text, want } of accepted) {
  test(`${shown(text)} is ${shown(formatReference(want))}`, () => {
    assert.deepEqual(parseReference(text), want);
  });
}

/**
 * What is refused, and by whom: the grammar of distribution/reference, or by us alone, because the name could
 * be taken for another one (the reasons are in host.ts and reference.ts).
 */
const refused: readonly {
  readonly what: string;
  readonly by: "grammar" | "us";
  readonly texts: readonly string[];
}[] = [
  {
    what: "T-35 an argument of a command line",
    by: "grammar",
    texts: ["-u", "--help", "--plugin-config=a=b", "@file", "-", "--", "-/x"],
  },
  {
    what: "a blank, a line break or a control character",
    by: "grammar",
    texts: [
      "",
      " ",
      "\t",
      "\n",
      " nginx",
      "nginx ",
      "nginx\n",
      "ngi nx",
      "nginx:1 2",
      "nginx\0",
      "nginx\r\n",
      "\ufeffnginx",
      "nginx\u2028",
      "ghcr.io\u0000.example/x",
      "ghcr.io/a\u001b[31m",
      "nginx\u00a0",
      `nginx@sha256:${hex}\n`,
    ],
  },
  {
    what: "a part of a URL",
    by: "grammar",
    texts: [
      "https://ghcr.io/x",
      "http://x",
      "oci://ghcr.io/x",
      "docker://nginx",
      "file:///etc/passwd",
      "user@ghcr.io/x",
      "user:pw@ghcr.io/x",
      `${ecr}@evil.example/x`,
      `${ecr}:x@evil.example/x`,
      "nginx?level=audit",
      "nginx#1",
      "nginx%20",
      "ghcr.io%2fx",
      "ghcr%2eio/x",
      "ghcr.io/a%2fb",
    ],
  },
  {
    what: "an empty component, or one of dots",
    by: "grammar",
    texts: [
      "/",
      "/nginx",
      "nginx/",
      "a//b",
      "a/",
      "ghcr.io/",
      "ghcr.io//a",
      "//ghcr.io/a",
      "a\\b",
      ".",
      "..",
      "../x",
      "./x",
      "a/../b",
      "a/./b",
      "a/.b",
      "a/b.",
      "a..b",
      "x/a..b",
      ".a/b",
    ],
  },
  {
    what: "T-31 an ill-formed name of a host",
    by: "grammar",
    texts: ["ghcr.io./x", "ghcr..io/x", ".ghcr.io/x", "-ghcr.io/x", "ghcr-.io/x", "ghcr.-io/x"],
  },
  {
    what: "T-31 a look-alike of another script",
    by: "grammar",
    texts: [
      "ghcr\u3002io/x",
      "ghcr\uff0eio/x",
      "ghcr\u2024io/x",
      "b\u00fccher.example/x",
      "\u0433hcr.io/x",
      `${ecr}\u3002evil.example/x`,
    ],
  },
  {
    what: "T-31 an ill-formed port",
    by: "grammar",
    texts: [
      "ghcr.io:/x",
      "ghcr.io:x/y",
      "ghcr.io:-1/x",
      "ghcr.io:+1/x",
      "ghcr.io:1:2/x",
      ":5000/x",
      "ghcr.io: 1/x",
    ],
  },
  {
    what: "T-31 an ill-formed IPv6 address",
    by: "grammar",
    texts: [
      "::1/x",
      "[::1/x",
      "::1]/x",
      "[]/x",
      "[::1%25eth0]/x",
      "[::1%eth0]/x",
      "[::1]x/y",
      "[::ffff:1.2.3.4]/x",
      "[g::1]/x",
      "[::1]",
      "[::1]:5000",
    ],
  },
  {
    what: "an ill-formed component",
    by: "grammar",
    texts: [
      "Nginx",
      "x/Nginx",
      "ghcr.io/Org/app",
      "a___b",
      "x/a___b",
      "x/_a",
      "x/a_",
      "x/-a",
      "x/a-",
      "x/a._b",
      "x/a-_b",
      "x/a.-b",
      "x/a+b",
      "x/a~b",
      "x/a*",
      "x/$a",
      "x/a,b",
      "x/(a)",
      "x/a'b",
      `x/"a"`,
      "x/a;b",
      "x/a|b",
      "x/a&b",
    ],
  },
  {
    what: "an ill-formed tag",
    by: "grammar",
    texts: [
      "nginx:",
      "nginx:.1",
      "nginx:-1",
      "nginx:1:2",
      "nginx:a+b",
      "nginx:\u00e4",
      "nginx:a/b",
      ":tag",
      "a/b:",
      `nginx:${"t".repeat(129)}`,
    ],
  },
  {
    what: "an ill-formed digest",
    by: "grammar",
    texts: [
      "nginx@",
      "nginx@sha256",
      "nginx@sha256:",
      "nginx@sha256:abc",
      `@${digest}`,
      `nginx@${hex}`,
      `nginx:@${digest}`,
      `nginx@sha256:${hex.slice(1)}`,
      `nginx@sha256:${hex}0`,
      `nginx@sha256:${hex.toUpperCase()}`,
      `nginx@SHA256:${hex}`,
      `nginx@${digest}:1`,
      `nginx@${digest}@${digest}`,
      `nginx@${digest}/x`,
      `nginx@md5:${hex}`,
    ],
  },
  { what: "an identifier", by: "grammar", texts: [hex] },
  {
    what: "too long a path",
    by: "grammar",
    texts: [`g.io/${"a".repeat(256)}`, `g.io/${"a/".repeat(128)}a`],
  },
  {
    what: "T-31 capitals in a host, which DNS ignores and comparisons do not",
    by: "us",
    texts: [
      "GHCR.io/x",
      "ghcr.IO/x",
      "Docker.io/nginx",
      "LOCALHOST/x",
      "Foo/bar",
      "[FD00::2]/x",
      `${ecr.toUpperCase()}/x`,
    ],
  },
  {
    what: "T-31 a host that is none, which the grammar then takes for a part of the path",
    by: "us",
    texts: ["my_registry.example/x", "a_b.c/x", "a__b.c/x"],
  },
  {
    what: "T-31 a port out of range, or with a second spelling",
    by: "us",
    texts: [
      "ghcr.io:0/x",
      "ghcr.io:00443/x",
      "ghcr.io:0443/x",
      "ghcr.io:65536/x",
      "ghcr.io:99999999999/x",
    ],
  },
  {
    what: "T-31 another spelling of an IPv4 address",
    by: "us",
    texts: [
      "127.1/x",
      "127.0.0.01/x",
      "0177.0.0.1/x",
      "0x7f.0.0.1/x",
      "2130706433:80/x",
      "0x7f000001:80/x",
      "1.2.3.4.5/x",
      "256.1.1.1/x",
      "ghcr.io.1/x",
      "169.254.43518/x",
      "a.0x/b",
    ],
  },
  {
    what: "T-31 another spelling of an IPv6 address, or none",
    by: "us",
    texts: [
      "[0:0:0:0:0:0:0:1]/x",
      "[::0001]/x",
      "[0::1]/x",
      "[1:0:0:0:0:0:0:0]/x",
      "[:::1]/x",
      "[1:2]/x",
      "[1::2::3]/x",
      "[12345::1]/x",
      "[:]/x",
    ],
  },
  {
    what: "the ID of an image on the node",
    by: "us",
    texts: [digest, `sha512:${hex}${hex}`, `sha384:${hex}${hex.slice(0, 32)}`, `blake3:${hex}`],
  },
  {
    what: "a digest that signatures are not looked up by",
    by: "us",
    texts: [`nginx@sha512:${hex}${hex}`, `nginx@sha384:${hex}${hex.slice(0, 32)}`],
  },
  {
    what: "too long a name, the registry counted as well",
    by: "us",
    texts: [`g.io/${"a".repeat(251)}`, "a".repeat(238), `${"a.".repeat(130)}io/x`],
  },
];
for (const { what, by, texts } of refused) {
  for (const text of texts) {
    test(`${what} is refused by ${by}: ${shown(text)}`, () => {
      assert.equal(parseReference(text), undefined);
    });
  }
}

function shown(text: string): string {
  const escaped = JSON.stringify(text);
  return escaped.length > 100 ? `${escaped.slice(0, 60)}… (${text.length})` : escaped;
}

test("the tables name no text twice", () => {
  const texts = [...accepted.map(({ text }) => text), ...refused.flatMap((row) => row.texts)];
  assert.equal(new Set(texts).size, texts.length);
});

test("a policy scope is the name without tag and digest", () => {
  assert.equal(nameOf({ registry: "g.io", repository: "a/b", tag: "1", digest }), "g.io/a/b");
});
