import "../style.css";
import "./page.css";
import { render } from "preact";
import { Trouble } from "../parts/basics";
import { language } from "../words";
import { Network, useEngine } from "./network";
import { OnnxLatent } from "./onnx_latent";
import { Packed, unpacked } from "./packed";
import { Page } from "./Page";

const app = document.getElementById("app")!;

async function start(): Promise<void> {
  const [engine, content] = await Promise.all([unpacked("engine"), unpacked("packed")]);
  useEngine(engine);
  const packed = new Packed(content);
  const { networks } = packed.told;
  const decoder = await Network.open(packed.array("decoder") as Uint8Array, networks.decoder);
  const encoder = networks.encoder
    ? await Network.open(packed.array("encoder") as Uint8Array, networks.encoder)
    : null;
  const latent = new OnnxLatent(packed, decoder, encoder);
  // For those who want to do more with it than the page does.
  Object.assign(window, { lowerbound: { latent, told: packed.told } });
  app.textContent = "";
  render(<Page told={packed.told} latent={latent} />, app);
}

document.documentElement.lang = language.value;
app.textContent = "…";
start().catch((error: unknown) => {
  app.textContent = "";
  render(<Trouble error={error} />, app);
});
