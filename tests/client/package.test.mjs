/** What is published: its types, its contents, its size. Needs the tools of package-lock.json (`npm ci`). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const client = fileURLToPath(new URL("../../client/", import.meta.url));
const tool = (name) => join(here, "node_modules", ".bin", name);
const run = (command, args, cwd = here) => execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const KB = 1024;

function size(entry) {
  const code = run(tool("esbuild"), [join(client, entry), "--bundle", "--external:*/bell-preferences.js", "--external:./bell-words-*.js", "--minify", "--format=esm", "--target=es2022", "--log-level=error"]);
  return { minified: Buffer.byteLength(code), gzipped: gzipSync(code, { level: 9 }).length };
}

test("the bundle is what the modules give: `make client` was run", () => {
  const folder = mkdtempSync(join(tmpdir(), "client-bundle-"));
  try {
    run(process.execPath, [join(client, "build.mjs"), "--to", folder]);
    const kept = join(client, "bundle");
    assert.deepEqual(readdirSync(kept).sort(), readdirSync(folder).sort());
    for (const name of readdirSync(folder)) {
      // How well a compressor compresses depends on its version; what comes out of it does not.
      const open = name.endsWith(".gz") ? gunzipSync : name.endsWith(".br") ? brotliDecompressSync : (data) => data;
      const [here, there] = [kept, folder].map((place) => open(readFileSync(join(place, name))));
      assert.ok(here.equals(there), name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the modules can be imported where there is no browser", () => {
  const names = ["bell", "badge", "live-notifications", "bell-preferences", ...readdirSync(client).filter((name) => /^bell-words-\w+\.js$/.test(name)).map((name) => name.slice(0, -3))];
  const script = names.map((name) => `import ${JSON.stringify(join(client, `${name}.js`))};`).join("");
  assert.equal(run(process.execPath, ["--input-type=module", "--eval", script]), "");
});

test("the lock files name no registry", () => {
  for (const folder of [here, join(here, "react-app")]) assert.doesNotMatch(readFileSync(join(folder, "package-lock.json"), "utf8"), /"resolved"|registry/);
});

test("the bundle is small, as a module and as a classic script", (t) => {
  const manifest = JSON.parse(readFileSync(join(client, "bundle", "manifest.json"), "utf8"));
  for (const [name, most] of [["notifier", 8 * KB], ["bell", 24 * KB], ["preferences", 8 * KB], ["words-ar", 2 * KB]]) {
    for (const { file } of Object.values(manifest[name])) {
      const { length } = gzipSync(readFileSync(join(client, "bundle", file)), { level: 9 });
      t.diagnostic(`${file}: ${length} gzipped`);
      assert.ok(length <= most, `${file}: ${length} of ${most}`);
    }
  }
});

for (const [name, entry, most] of [["the client", "notifier.js", 8 * KB], ["the client with the bell", "bell.js", 24 * KB]]) {
  test(`${name} is small`, (t) => {
    const { minified, gzipped } = size(entry);
    t.diagnostic(`${entry}: ${minified} bytes minified, ${gzipped} gzipped`);
    assert.ok(gzipped < most, `${gzipped} of ${most}`);
  });
}

test("tsc accepts the types, and they refuse what they should", () => {
  try {
    run(tool("tsc"), ["-p", "tsconfig.json"]);
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test("the types name what the modules export, and the members that are there", async () => {
  for (const file of ["notifier", "store", "url"]) {
    const exported = Object.keys(await import(join(client, `${file}.js`)));
    const types = readFileSync(join(client, `${file}.d.ts`), "utf8");
    for (const name of exported) assert.match(types, new RegExp(`export .*\\b${name}\\b`), `${file}: ${name}`);
  }
  const { NotifierClient, RequestError, Store } = await import(join(client, "notifier.js"));
  const text = readFileSync(join(client, "notifier.d.ts"), "utf8") + readFileSync(join(client, "store.d.ts"), "utf8");
  for (const [type, ...ways] of [[NotifierClient], [RequestError], [Store]]) {
    assert.deepEqual(ways, []);
    const body = text.slice(text.indexOf(`export class ${type.name}`)).split("\n}")[0];
    for (const member of Object.getOwnPropertyNames(type.prototype)) assert.match(body, new RegExp(`\\b${member}\\b`), `${type.name}.${member}`);
  }
});

test("npm pack holds every module with its types, and nothing else", () => {
  const [{ files }] = JSON.parse(run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], client));
  const packed = files.map(({ path }) => path).sort();
  const modules = readdirSync(client).filter((name) => /\.(js|d\.ts)$/.test(name));
  const bundle = readdirSync(join(client, "bundle")).filter((name) => /\.(js|json)$/.test(name)).map((name) => `bundle/${name}`);
  const expected = [...modules, ...bundle, "README.md", "package.json"].sort();
  assert.deepEqual(packed, expected);
  const { exports, version } = JSON.parse(readFileSync(join(client, "package.json"), "utf8"));
  for (const [name, way] of Object.entries(exports)) {
    if (name !== "./bundle/*") for (const file of typeof way === "string" ? [way] : Object.values(way)) assert.ok(packed.includes(file.slice(2)), file);
  }
  assert.match(version, /^\d+\.\d+\.\d+$/);
});

test("the packed client can be installed and imported by its name", () => {
  const folder = mkdtempSync(join(tmpdir(), "client-pack-"));
  try {
    const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], client));
    writeFileSync(join(folder, "package.json"), "{}");
    run("npm", ["install", "--offline", "--no-save", "--no-audit", "--no-fund", join(folder, filename)], folder);
    const script = 'import { NotifierClient, Store } from "live-notifications-client"; import { safeUrl } from "live-notifications-client/url"; console.log([typeof NotifierClient, typeof Store, safeUrl("/x")].join());';
    writeFileSync(join(folder, "use.mjs"), script);
    assert.equal(run(process.execPath, ["use.mjs"], folder).trim(), "function,function,/x");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the modules import only each other, and nothing in them needs eval or writes HTML", () => {
  for (const name of readdirSync(client).filter((file) => file.endsWith(".js"))) {
    const code = readFileSync(join(client, name), "utf8");
    for (const [, from] of code.matchAll(/(?:import|from)\s+"([^"]+)"/g)) assert.match(from, name === "react.js" ? /^react$|^\.\/notifier\.js$/ : /^\.\/[\w-]+\.js$/, `${name}: ${from}`);
    assert.doesNotMatch(code, /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|\.style\.|setAttribute\("style)/, name);
    assert.ok(code.split("\n").length <= 300, `${name} has one purpose`);
    assert.match(code, /^\/\*\*/, `${name} says what it is for`);
  }
});
