// The image's file system, made by the Dockerfile's own steps, and the provider in it: another root, nobody's user,
// nothing that can be written, in user namespaces, so that nobody need be root. What only a container engine does, such as building for two platforms, is not tested.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { globSync, lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parse, stringify } from "yaml";
import { createAuthorities } from "../gatekeeper/certificates.ts";
import { freePorts } from "../ports.ts";
import { startApiServer } from "../kubernetes/api-server.ts";
import { ROOT } from "../provider/start.ts";
import { statement } from "../signing/trust.ts";
import { startContainer, type ContainerOptions } from "./container.ts";
import { buildImage, type Image } from "./image.ts";
import { run } from "./run.ts";

const MIB = 1024 * 1024;

/** Files of a trust directory, by their paths. */
const trustOf = (root: string): Readonly<Record<string, string>> => ({
  "trust/truststore/x509/ca/example/root.crt": root,
  "trust/trustpolicy.json": JSON.stringify({
    version: "1.0",
    trustPolicies: [statement()],
  }),
});

suite("the image", () => {
  let image: Image;
  let scratch: string;
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "image-test-"));
    image = await buildImage();
  });
  after(async () => {
    await image[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  /** Runs something in the image to its end. */
  const runIn = async (
    command: readonly string[],
    options: Partial<ContainerOptions> = {},
  ): Promise<{ readonly code: number; readonly output: string }> => {
    await using container = startContainer({ root: image.root, command, ...options });
    const code = await container.ended;
    return { code, output: container.output() };
  };

  test("has no shell, no package manager, no test and no development package", () => {
    const files = globSync("**/*", { cwd: image.root });
    const found = files.filter((file) =>
      /(?:^|\/)(?:sh|bash|dash|busybox|npm|npx|corepack|apt|dpkg)$|\.test\.ts$|node_modules\/(?:typescript|oxlint|prettier|knip)(?:\/|$)/.test(
        file,
      ),
    );
    assert.deepEqual(found, []);
  });

  test("has nothing that the runtime's user may change or that raises rights, but /tmp", () => {
    // All of it is whoever's who built it: root's, in a container engine.
    const files = globSync("**/*", { cwd: image.root }).filter((file) => file !== "tmp");
    const found = files.filter((file) => {
      const { mode, uid, gid } = lstatSync(join(image.root, file));
      const isLink = (mode & 0o170000) === 0o120000;
      return (
        !isLink &&
        ((mode & 0o7022) !== 0 || uid !== process.getuid?.() || gid !== process.getgid?.())
      );
    });
    assert.deepEqual(found, []);
  });

  test("says the versions of what is in it", async () => {
    const { output } = await runIn([...image.entrypoint, "version"]);
    assert.match(output, /26\./);
  });

  test("the launcher of the Signer plugin runs in it", async () => {
    const { code, output } = await runIn(["/usr/local/bin/signer-launcher", "get-plugin-metadata"]);
    assert.equal(code, 0, output);
    assert.match(output, /com\.amazonaws\.signer\.notation\.plugin/);
  });

  test("runs as nobody, on a root that cannot be written, without a way to more rights", async () => {
    const script = `
      const { readFileSync, writeFileSync } = require("node:fs");
      const codes = ["/app/x", "/etc/x", "/tmp/x", "/usr/local/bin/notation"].map((path) => {
        try { writeFileSync(path, ""); return "written"; } catch ({ code }) { return code; }
      });
      const status = readFileSync("/proc/self/status", "utf8");
      const [, caps] = /^CapEff:\\s*(\\S+)$/m.exec(status);
      const [, noNew] = /^NoNewPrivs:\\s*(\\S+)$/m.exec(status);
      console.log(JSON.stringify({ uid: process.getuid(), gid: process.getgid(), caps: Number("0x" + caps), noNew, codes }));`;
    const { output } = await runIn(["/usr/local/bin/node", "--eval", script]);
    assert.deepEqual(JSON.parse(output), {
      uid: 65_532,
      gid: 65_532,
      caps: 0,
      noNew: "1",
      codes: ["EROFS", "EROFS", "EROFS", "EROFS"],
    });
  });

  test("F-23 process 1 reaps what a child leaves behind", async () => {
    // A child starts another and ends; the other, now an orphan, ends as well. Then no zombie is left.
    const orphan = `require("node:child_process").spawn(process.execPath, ["--version"], { detached: true, stdio: "ignore" }).unref()`;
    const script = `
      const { readdirSync, readFileSync } = require("node:fs");
      const { spawnSync } = require("node:child_process");
      for (let n = 0; n < 3; n += 1) spawnSync(process.execPath, ["--eval", ${JSON.stringify(orphan)}]);
      const others = () => readdirSync("/proc").filter((pid) => /^\\d+$/.test(pid) && pid !== "1" && pid !== String(process.pid));
      const began = Date.now();
      const look = () => {
        const left = others();
        if (left.length === 0 || Date.now() - began > 20000) {
          const states = left.map((pid) => readFileSync("/proc/" + pid + "/stat", "utf8"));
          console.log(JSON.stringify({ first: readFileSync("/proc/1/comm", "utf8").trim(), states }));
        } else setTimeout(look, 20);
      };
      look();`;
    const { output } = await runIn([
      "/usr/local/bin/reaper",
      "/usr/local/bin/node",
      "--eval",
      script,
    ]);
    assert.deepEqual(JSON.parse(output), { first: "reaper", states: [] });
  });

  for (const [what, script, want] of [
    ["an exit code", "process.exit(7)", 7],
    ["the end by a signal", "process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 1e5)", 137],
  ] as const) {
    test(`process 1 hands on ${what}`, async () => {
      const { code } = await runIn(["/usr/local/bin/reaper", "/usr/local/bin/node", "-e", script]);
      assert.equal(code, want);
    });
  }

  /** Starts the service with these files, by their paths, and lets it become ready, be looked at, and end. */
  const serveUntil = async (
    service: {
      readonly config: Readonly<Record<string, object>>;
      readonly files: Readonly<Record<string, string>>;
      /** Folders among the files, and where they stand in the container. */
      readonly mounts: Readonly<Record<string, string>>;
      readonly environment?: Readonly<Record<string, string>>;
    },
    look: () => void = () => undefined,
  ): Promise<void> => {
    const { https, admin } = await freePorts("https", "admin");
    const folder = await mkdtemp(join(scratch, "serve-"));
    const own = {
      server: { ...service.config["server"], address: `127.0.0.1:${https}`, drainDelay: "0ms" },
      admin: { address: `127.0.0.1:${admin}` },
      trust: { directory: "/trust" },
      notation: { binary: "/usr/local/bin/notation" },
      registries: [{ host: "registry.example" }],
    };
    const files = {
      ...service.files,
      "etc/provider.yaml": stringify({ ...service.config, ...own }),
    };
    const mounts = { ...service.mounts, etc: "/etc/notation-provider", trust: "/trust" };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text, { mode: 0o444 });
    }
    await chmod(folder, 0o755);
    await using container = startContainer({
      root: image.root,
      command: [...image.entrypoint, ...image.command],
      ...(service.environment !== undefined && { environment: service.environment }),
      mounts: Object.entries(mounts).map(([source, target]) => ({
        source: join(folder, source),
        target,
      })),
      memory: new Map([["/run/notation-provider", 64 * MIB]]),
    });
    const ended = container.ended.then((code) => `ended with ${code}:\n${container.output()}`);
    const isReady = async (): Promise<string> => {
      for (;;) {
        const response = await fetch(`http://127.0.0.1:${admin}/readyz`).catch(() => undefined);
        if (response?.status === 200) return "ready";
        await new Promise((resolve) => {
          setTimeout(resolve, 25);
        });
      }
    };
    assert.equal(await Promise.race([isReady(), ended]), "ready");
    assert.doesNotMatch(container.output(), /not on a memory file system/);
    look();
    container.signal("SIGTERM");
    assert.equal(await container.ended, 0, container.output());
  };

  test("F-33 serves, is ready, and ends in order at SIGTERM to process 1", async () => {
    const { ca, serving, gatekeeper } = await createAuthorities();
    await serveUntil({
      config: {
        server: {
          tls: { certificate: "/tls/tls.crt", key: "/tls/tls.key", clientCA: "/gatekeeper/ca.crt" },
        },
      },
      files: {
        ...trustOf(ca),
        "tls/tls.crt": serving.cert,
        "tls/tls.key": serving.key,
        "gatekeeper/ca.crt": gatekeeper.ca,
      },
      mounts: { tls: "/tls", gatekeeper: "/gatekeeper" },
    });
  });

  test("makes its own certificates as the account of its Pod: what speaks to Kubernetes loads under the flags of the image", async () => {
    const { ca, gatekeeper } = await createAuthorities();
    await using api = await startApiServer();
    const provider = "/apis/externaldata.gatekeeper.sh/v1beta1/providers/notation";
    const webhook = "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert";
    api.put(webhook, { data: { "ca.crt": Buffer.from(gatekeeper.ca).toString("base64") } });
    api.put(provider, { spec: { url: "https://x", caBundle: "" } });
    const { clusters, users } = parse(await readFile(api.kubeconfig, "utf8")) as {
      readonly clusters: readonly {
        readonly cluster: Readonly<Record<"server" | "certificate-authority-data", string>>;
      }[];
      readonly users: readonly { readonly user: { readonly token: string } }[];
    };
    const [{ cluster } = { cluster: undefined }] = clusters;
    const { hostname, port } = new URL(cluster?.server ?? "");
    await serveUntil(
      {
        config: {
          certificates: {
            names: ["notation-provider.gatekeeper-system"],
            secret: { namespace: "gatekeeper-system", name: "certificates" },
            providers: ["notation"],
          },
        },
        files: {
          ...trustOf(ca),
          "account/token": users[0]?.user.token ?? "",
          "account/ca.crt": Buffer.from(
            cluster?.["certificate-authority-data"] ?? "",
            "base64",
          ).toString(),
        },
        mounts: { account: "/var/run/secrets/kubernetes.io/serviceaccount" },
        environment: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      },
      () => {
        const secret = api.get("/api/v1/namespaces/gatekeeper-system/secrets/certificates");
        assert.match(JSON.stringify(secret), /"ca\.key":"\w/);
      },
    );
  });

  test("says what is in it: every package and every module, and none that is not", async () => {
    const path = "usr/local/share/sbom/notation-gatekeeper-provider.cdx.json";
    const { components } = JSON.parse(await readFile(join(image.root, path), "utf8")) as {
      readonly components: readonly { readonly name: string; readonly purl?: string }[];
    };
    const said = (kind: string) =>
      components
        .flatMap(({ purl }) => (purl?.startsWith(`pkg:${kind}/`) === true ? [purl] : []))
        .toSorted();
    const manifests = globSync("app/node_modules/**/package.json", { cwd: image.root });
    const packages = await Promise.all(
      manifests.map(
        async (file) =>
          JSON.parse(await readFile(join(image.root, file), "utf8")) as {
            readonly name?: string;
            readonly version?: string;
          },
      ),
    );
    // A package may have folders that say in a file of this name what kind of modules are in them.
    const found = packages.flatMap(({ name, version }) =>
      name === undefined || version === undefined
        ? []
        : [`pkg:npm/${name.replace("@", "%40")}@${version}`],
    );
    const { output } = await runIn(["/usr/local/bin/node", "--version"]);
    const node = `pkg:npm/node-linux-${process.arch}@${output.trim().slice(1)}`;
    assert.deepEqual(said("npm"), [...new Set([...found, node])].toSorted());

    const programs = ["notation", "reaper", "signer-launcher"].map((name) =>
      join(image.root, "usr/local/bin", name),
    );
    const { stdout } = await run("go", ["version", "-m", ...programs]);
    const built = [
      ...[...stdout.matchAll(/: go(\S+)$/gm)].map(([, go]) => `pkg:golang/stdlib@v${go}`),
      ...[...stdout.matchAll(/^\t(?:dep|mod)\t(\S+)\t(v\S+)/gm)].map(
        ([, path, at]) => `pkg:golang/${path}@${at}`,
      ),
    ];
    assert.deepEqual(said("golang"), [...new Set(built)].toSorted());
  });

  test("is started with the flags that docs/configuration.md gives reasons for", async () => {
    const page = await readFile(join(ROOT, "docs/configuration.md"), "utf8");
    const flags = image.entrypoint.filter((word) => word.startsWith("--"));
    assert.ok(flags.length > 3);
    for (const flag of flags) {
      const known = flag.replace(/^(--max-old-space-size-percentage)=.*/, "$1");
      assert.ok(page.includes(known), flag);
    }
  });

  test("copies of the Dockerfile are let through by .dockerignore", async () => {
    const [dockerfile, ignored] = await Promise.all(
      ["Dockerfile", ".dockerignore"].map(async (name) => await readFile(join(ROOT, name), "utf8")),
    );
    const sources = [...(dockerfile ?? "").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, names = ""]) => names.split(" "),
    );
    assert.ok(sources.length > 4);
    for (const source of sources) assert.ok(ignored?.includes(`\n!${source}\n`), source);
  });
});

test("a machine that forbids user namespaces is told what to allow", async () => {
  const module = JSON.stringify(new URL("container.ts", import.meta.url).href);
  const script = `import(${module}).then((it) => it.assertNamespaces()).catch((error) => console.log(error.message))`;
  const { stdout, stderr } = await run("unshare", [
    "--user",
    "--map-root-user",
    "sh",
    "-euc",
    'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
    "sh",
    process.execPath,
    "--eval",
    script,
  ]);
  assert.match(stdout, /does not let its users have\. Allow them/, stderr);
});

suite("the Signer plugin of the image", () => {
  let scratch: string;
  let archive: string;
  let sha256: string;
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "image-plugin-"));
    archive = join(scratch, "plugin.zip");
    const program = join(scratch, "notation-com.amazonaws.signer.notation.plugin");
    await writeFile(program, "#!/bin/true\n");
    const { code, stderr } = await run("python3", ["-m", "zipfile", "-c", archive, program]);
    assert.equal(code, 0, stderr);
    sha256 = createHash("sha256")
      .update(await readFile(archive))
      .digest("hex");
  });
  after(async () => await rm(scratch, { recursive: true, force: true }));

  const step = async (url: string, sum: string, folder: string) =>
    await run(join(ROOT, "tools/image.sh"), ["plugin", url, sum, join(scratch, folder)]);

  test("is left out without a URL", async () => {
    assert.equal((await step("", "", "none")).code, 0);
    assert.deepEqual(globSync("**/*", { cwd: join(scratch, "none") }), []);
  });

  test("is refused without a checksum", async () => {
    const { code, stderr } = await step(`file://${archive}`, "", "unsummed");
    assert.equal(code, 1);
    assert.match(stderr, /needs the SHA-256/);
  });

  test("is refused with the checksum of something else", async () => {
    const { code, stderr } = await step(`file://${archive}`, "0".repeat(64), "wrong");
    assert.equal(code, 1);
    assert.match(stderr, /does not have the SHA-256/);
    assert.deepEqual(globSync("**/*", { cwd: join(scratch, "wrong") }), []);
  });

  test("stands where Notation looks for it", async () => {
    const { code, stderr } = await step(`file://${archive}`, sha256, "right");
    assert.equal(code, 0, stderr);
    const name = "com.amazonaws.signer.notation.plugin";
    const { mode } = lstatSync(join(scratch, "right/plugins", name, `notation-${name}`));
    assert.equal(mode & 0o777, 0o755);
  });
});
