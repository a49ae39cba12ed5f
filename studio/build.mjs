// Builds the pages into the Python package: `npm ci && npm run build`.
import { build, context } from "esbuild";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";

const out = "../src/lowerbound/studio/static";

// What is built in asks that its licence goes along; the others bring theirs in comments.
async function licences() {
  const names = ["preact", "@preact/signals", "uplot"];
  const texts = names.map(async (name) => {
    const text = await readFile(`node_modules/${name}/LICENSE`, "utf8");
    return `${name}: ${text.trim().replace(/\s*\n\s*/g, " ")}`;
  });
  return `/*! ${(await Promise.all(texts)).join("\n")} */`;
}

const options = {
  entryPoints: [
    { in: "src/main.tsx", out: "studio" },
    { in: "src/page/main.tsx", out: "page" }, // the page to give away
  ],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "eof",
  footer: { js: await licences() },
  logLevel: "info",
};

// What runs the networks of a page: the smallest build of ONNX Runtime Web, 14.2 MB. Every page
// holds it, so it is packed as small as what unpacks it allows (gzip 3.66 MB, xz 2.23 MB).
async function engine() {
  const source = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
  const digest = createHash("sha256").update(await readFile(source)).digest("hex");
  const packed = `${out}/ort.wasm.xz`;
  const known = await readFile("engine.sha256", "utf8").catch(() => "");
  if (known.trim() === digest) return;
  const program = [
    "import lzma, pathlib, sys",
    "content = pathlib.Path(sys.argv[1]).read_bytes()",
    "kept = lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC32, 9 | lzma.PRESET_EXTREME)",
    "pathlib.Path(sys.argv[2]).write_bytes(kept)",
  ].join("\n");
  execFileSync("python3", ["-c", program, source, packed], { stdio: "inherit" });
  await writeFile("engine.sha256", `${digest}\n`);
}

await mkdir(out, { recursive: true });
await copyFile("src/index.html", `${out}/index.html`);
await engine();
if (process.argv.includes("--watch")) {
  await (await context(options)).watch();
} else {
  await build(options);
}
