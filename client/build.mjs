/**
 * Writes client/bundle/: each entry minified, as a module and as a classic script, under a name that changes
 * with its contents, compressed with gzip and brotli; manifest.json has the names.
 * Run `make client`; the tools are those of tests/client (`npm ci` there). `--to FOLDER` writes elsewhere.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const { build } = createRequire(join(here, "../tests/client/package.json"))("esbuild");
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const folder = process.argv[2] === "--to" ? process.argv[3] : join(here, "bundle");

/** The bell's bundle includes the client and the badges. */
const ENTRIES = { notifier: "notifier.js", bell: "live-notifications.js" };
const KINDS = { module: ["esm", ".js"], classic: ["iife", ".classic.js"] };
/** A language exports nothing: the same file works with a bundle and with the single modules. */
const LANGUAGES = Object.fromEntries(["ar", "de", "es", "fr", "he", "ja", "pt"].map((lang) => [`words-${lang}`, `bell-words-${lang}.js`]));
const BOTH = { module: ["iife", ".js"], classic: ["iife", ".js"] };

/** What the bell loads when it is first used: modules of their own, whose names are part of the bell's contents. */
const LATER = { preferences: "bell-preferences.js", ...LANGUAGES };

/** Leaves the modules of LATER out of a bundle, and writes the names of their own bundles into it. */
const later = {
  name: "later",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      const [name] = Object.entries(LATER).find(([, entry]) => kind === "dynamic-import" && path === `./${entry}`) ?? [];
      return name && { path: `./${manifest[name].module.file}`, external: true };
    });
  },
};

/** A classic script sets one global. esbuild's own `globalName` costs 200 bytes of helpers. */
async function source(entry, global) {
  if (!global) return { entryPoints: [join(here, entry)] };
  const names = Object.keys(await import(new URL(entry, import.meta.url)));
  const contents = `import { ${names} } from "./${entry}"; globalThis.LiveNotifications = { ${names} };`;
  return { stdin: { contents, resolveDir: here } };
}

async function bundle(name, entry, format, extension) {
  const { outputFiles } = await build({
    ...(await source(entry, format === "iife" && name in ENTRIES)),
    outdir: folder,
    entryNames: `${name}-[hash]`,
    outExtension: { ".js": extension },
    absWorkingDir: here,
    banner: { js: `/* Live Notifications ${version}, MIT */` },
    bundle: true,
    minify: true,
    write: false,
    format,
    charset: "utf8",
    target: "es2022",
    legalComments: "none",
    logLevel: "error",
    plugins: [later],
  });
  const [{ path, contents }] = outputFiles;
  return [basename(path), Buffer.from(contents)];
}

function write(name, code) {
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: code.length } };
  writeFileSync(join(folder, name), code);
  writeFileSync(join(folder, `${name}.gz`), gzipSync(code, { level: 9 }));
  writeFileSync(join(folder, `${name}.br`), brotliCompressSync(code, brotli));
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const manifest = {};
for (const [name, entry] of Object.entries({ ...LATER, ...ENTRIES })) {
  manifest[name] = {};
  const kinds = name in ENTRIES ? KINDS : name in LANGUAGES ? BOTH : { module: KINDS.module };
  for (const [kind, [format, extension]] of Object.entries(kinds)) {
    const [file, code] = await bundle(name, entry, format, extension);
    write(file, code);
    manifest[name][kind] = { file, integrity: `sha384-${createHash("sha384").update(code).digest("base64")}` };
    console.log(`${file}: ${code.length} bytes, ${gzipSync(code, { level: 9 }).length} with gzip`);
  }
}
writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
