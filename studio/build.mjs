// Builds the pages into the Python package: `npm ci && npm run build`.
import { build, context } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";

const out = "../src/lowerbound/studio/static";
const options = {
  entryPoints: [{ in: "src/main.tsx", out: "studio" }],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "eof",
  logLevel: "info",
};

await mkdir(out, { recursive: true });
await copyFile("src/index.html", `${out}/index.html`);
if (process.argv.includes("--watch")) {
  await (await context(options)).watch();
} else {
  await build(options);
}
