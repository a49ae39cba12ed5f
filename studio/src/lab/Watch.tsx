// The two pictures, what is shown in them, and numbers beside them.
import { useState } from "preact/hooks";
import { Choice, Slider } from "../parts/basics";
import { words } from "../words";
import { LAYERS, type Layers, paintCodes, paintData } from "./pictures";
import { Plane, savePicture } from "./Plane";
import type { Frame, Model, Told } from "./types";

const t = words(
  {
    data: "Data space",
    codes: "Latent space",
    weights: "Shares of the components",
    points: "Data",
    samples: "Samples",
    reconstructions: "Reconstructions",
    grid: "Grid of the prior",
    codesGrid: "Grid of codes",
    ellipses: "Ellipses, 2σ",
    arrows: "Gradients",
    surface: "Surface",
    density: "log p(x) of the model",
    judged: "what the discriminator says",
    truth: "log p(x) of the density itself",
    none: "none",
    bend: "Noise → data",
    play: "Bend it",
    sigma: "σ = {value}",
    rates: "Rate of each dimension, nats: {rates}",
    spread: "Variance of each dimension: {rates}",
    modes: "Modes: {found} of {all}, {good} % of samples near one",
    held: "log p(x) of held-out points: {value} nats{kind}; the density's own: {truth}",
    estimate: " (estimated with 2,048 codes)",
    picture: "Picture .png",
    vae: "Dots: codes of data, in the colour of their place. Ellipses: posteriors q(z|x). Violet: aggregate posterior; dashed: prior.",
    aae: "Dots: codes of data. Blue: where the critic expects the prior; orange: where codes. Dashed: prior.",
    flow: "Dots: codes z = f(x) of data, in the colour of their place; a perfect flow makes them Gaussian. Dashed: prior.",
    gan: "The noise that samples are made of, and the prior's grid. A GAN has no encoder.",
    ae: "Dots: codes of data. There is no prior, and so there are no samples.",
    gmm: "p(h) of each component; points beside have the colour of the likeliest one.",
  },
  {
    data: "데이터 공간",
    codes: "잠재 공간",
    weights: "성분의 비중",
    points: "데이터",
    samples: "샘플",
    reconstructions: "재구성",
    grid: "사전분포의 격자",
    codesGrid: "코드의 격자",
    ellipses: "타원, 2σ",
    arrows: "기울기",
    surface: "표면",
    density: "모델의 log p(x)",
    judged: "판별자의 판단",
    truth: "밀도 자체의 log p(x)",
    none: "없음",
    bend: "잡음 → 데이터",
    play: "휘어 보기",
    sigma: "σ = {value}",
    rates: "차원별 레이트, nats: {rates}",
    spread: "차원별 분산: {rates}",
    modes: "모드: {all}개 중 {found}개, 샘플의 {good} %가 모드 근처",
    held: "따로 둔 점의 log p(x): {value} nats{kind}, 밀도 자체: {truth}",
    estimate: " (코드 2,048개로 추정)",
    picture: "그림 .png",
    vae: "점: 데이터의 코드(위치의 색). 타원: 사후분포 q(z|x). 보라: 총합 사후분포, 점선: 사전분포.",
    aae: "점: 데이터의 코드. 파랑: 비평자가 사전분포라고 보는 곳, 주황: 코드라고 보는 곳. 점선: 사전분포.",
    flow: "점: 데이터의 코드 z = f(x)(위치의 색). 완벽한 흐름이면 가우시안이 됩니다. 점선: 사전분포.",
    gan: "샘플을 만드는 잡음과 사전분포의 격자입니다. GAN에는 인코더가 없습니다.",
    ae: "점: 데이터의 코드. 사전분포가 없으므로 샘플도 없습니다.",
    gmm: "성분마다의 p(h). 옆의 점들은 가장 그럴듯한 성분의 색입니다.",
  },
);

interface WatchProps {
  model: Model;
  name: string;
  told: Told;
  frame: Frame | null;
}

export function Watch({ model, name, told, frame }: WatchProps) {
  const [layers, setLayers] = useState<Layers>(LAYERS);
  const set = (changed: Partial<Layers>) => setLayers((before) => ({ ...before, ...changed }));
  const said = model === "iwae" ? "vae" : model;
  return (
    <div class="planes">
      <figure class="card">
        <figcaption>{t("data")}</figcaption>
        <Plane
          id="lab-data"
          label={`${t("data")}. ${readings(told, frame).join(". ")}`}
          reach={told.reach}
          on={[told, frame, layers, model]}
          paint={(paint) => paintData(paint, model, told, frame, layers)}
        />
        <Switches model={model} layers={layers} set={set} />
        {told.latent > 0 && told.latent <= 2 && model !== "ae" && <Bend layers={layers} set={set} />}
        <button type="button" class="small" onClick={() => savePicture("lab-data", `${name}.png`)}>
          {t("picture")}
        </button>
      </figure>
      <figure class="card">
        <figcaption>{t(model === "gmm" ? "weights" : "codes")}</figcaption>
        <Plane
          id="lab-codes"
          label={`${t(model === "gmm" ? "weights" : "codes")}. ${t(said)}`}
          reach={codesReach(model, told, frame)}
          on={[told, frame, model]}
          paint={(paint) => paintCodes(paint, model, told, frame)}
        />
        <p class="small soft">{t(said)}</p>
        {readings(told, frame).map((line) => (
          <p key={line} class="small reading">
            {line}
          </p>
        ))}
        <button type="button" class="small" onClick={() => savePicture("lab-codes", `${name}-codes.png`)}>
          {t("picture")}
        </button>
      </figure>
    </div>
  );
}

function Switches({ model, layers, set }: { model: Model; layers: Layers; set: (changed: Partial<Layers>) => void }) {
  const boxes: [keyof Layers, string, boolean][] = [
    ["data", t("points"), true],
    ["samples", t(model === "ae" ? "reconstructions" : "samples"), true],
    ["grid", t(model === "ae" ? "codesGrid" : "grid"), model !== "gmm"],
    ["ellipses", t("ellipses"), ["vae", "iwae", "aae", "gmm"].includes(model)],
    ["arrows", t("arrows"), model === "gan"],
  ];
  return (
    <div class="row switches small">
      {boxes
        .filter(([, , has]) => has)
        .map(([layer, text]) => (
          <label key={layer}>
            <input
              type="checkbox"
              checked={Boolean(layers[layer])}
              onChange={(event) => set({ [layer]: event.currentTarget.checked })}
            />{" "}
            {text}
          </label>
        ))}
      <Choice
        label={t("surface")}
        value={layers.surface === "model" && model === "ae" ? "none" : layers.surface}
        choices={[
          ...(model === "ae" ? [] : [["model", t(model === "gan" ? "judged" : "density")] as const]),
          ["truth", t("truth")],
          ["none", t("none")],
        ]}
        onChange={(surface) => set({ surface })}
      />
    </div>
  );
}

function Bend({ layers, set }: { layers: Layers; set: (changed: Partial<Layers>) => void }) {
  const bend = () => {
    const begin = performance.now();
    const draw = (now: number) => {
      const share = Math.min(1, Math.max(0, (now - begin) / 2500));
      set({ bend: 0.5 - 0.5 * Math.cos(Math.PI * share) });
      if (share < 1) requestAnimationFrame(draw);
      else set({ bend: 1 });
    };
    requestAnimationFrame(draw);
  };
  return (
    <div class="row">
      <div class="grow">
        <Slider
          label={t("bend")}
          value={layers.bend}
          low={0}
          high={1}
          step={0.02}
          shown={`${Math.round(100 * layers.bend)} %`}
          onInput={(value) => set({ bend: value })}
        />
      </div>
      <button type="button" class="small" onClick={bend}>
        {t("play")}
      </button>
    </div>
  );
}

function readings(told: Told, frame: Frame | null): string[] {
  const found: string[] = [];
  const { reading, rates, sigma } = frame ?? {};
  if (reading?.held_out !== undefined) {
    found.push(
      t("held", {
        value: reading.held_out.toFixed(3),
        kind: sigma === undefined ? "" : t("estimate"),
        truth: (-told.entropy.nats).toFixed(3),
      }),
    );
  }
  if (reading?.modes !== undefined) {
    found.push(t("modes", { found: reading.modes, all: told.modes ?? 0, good: (100 * (reading.good ?? 0)).toFixed(0) }));
  }
  if (rates) {
    const key = frame?.posteriors ? "rates" : "spread";
    found.push(t(key, { rates: rates.map((rate) => rate.toFixed(2)).join(" · ") }));
  }
  if (sigma !== undefined) found.push(t("sigma", { value: sigma.toPrecision(3) }));
  return found;
}

/** Codes of an autoencoder may lie anywhere. */
function codesReach(model: Model, told: Told, frame: Frame | null): number {
  if (model !== "ae" || !frame?.codes) return told.codes_reach;
  let most = 1;
  for (const value of frame.codes.values) most = Math.max(most, Math.abs(value));
  return 1.1 * most;
}
