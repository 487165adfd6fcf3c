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
const { buildSync } = createRequire(join(here, "../tests/client/package.json"))("esbuild");
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const folder = process.argv[2] === "--to" ? process.argv[3] : join(here, "bundle");

/** The bell's bundle includes the client and the badges. */
const ENTRIES = { notifier: "notifier.js", bell: "live-notifications.js" };
const KINDS = { module: ["esm", ".js"], classic: ["iife", ".classic.js"] };
/** A language exports nothing: the same file works with a bundle and with the single modules. */
const LANGUAGES = { "words-de": "bell-words-de.js", "words-ar": "bell-words-ar.js" };
const BOTH = { module: ["iife", ".js"], classic: ["iife", ".js"] };

function bundle(name, entry, format, extension) {
  const { outputFiles } = buildSync({
    entryPoints: { [name]: join(here, entry) },
    outdir: folder,
    entryNames: "[name]-[hash]",
    outExtension: { ".js": extension },
    absWorkingDir: here,
    banner: { js: `/* Live Notifications ${version}, MIT */` },
    bundle: true,
    minify: true,
    write: false,
    format,
    globalName: format === "iife" && name in ENTRIES ? "LiveNotifications" : undefined,
    charset: "utf8",
    target: "es2022",
    legalComments: "none",
    logLevel: "error",
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
for (const [name, entry] of Object.entries({ ...ENTRIES, ...LANGUAGES })) {
  manifest[name] = {};
  for (const [kind, [format, extension]] of Object.entries(name in ENTRIES ? KINDS : BOTH)) {
    const [file, code] = bundle(name, entry, format, extension);
    write(file, code);
    manifest[name][kind] = { file, integrity: `sha384-${createHash("sha384").update(code).digest("base64")}` };
    console.log(`${file}: ${code.length} bytes, ${gzipSync(code, { level: 9 }).length} with gzip`);
  }
}
writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
