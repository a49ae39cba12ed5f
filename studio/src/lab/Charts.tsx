// What the objective tells, over the steps; with a true value as a dashed line where one is known.
import { Curves, type Line } from "../parts/Curves";
import { words } from "../words";
import { dataColour, samplesColour } from "./colours";
import type { Place } from "./session";
import type { Model, Told } from "./types";

const t = words(
  {
    step: "step",
    iteration: "EM iteration",
    bounds: "log p(x) and its bound, nats",
    likelihood: "log p(x), nats",
    terms: "The two terms of the bound, nats",
    players: "Losses of the two players, nats",
    playersPlain: "Losses of the two players",
    distance: "Distance of samples from data, MMD²",
    distanceOf: "Distance of reconstructions from data, MMD²",
    error: "Squared error",
    distortion: "Distortion, nats",
    elbo: "ELBO",
    iwae: "IWAE bound",
    train: "training points",
    held: "held-out points",
    estimate: "held-out points, estimated",
    truth: "the density's own, −H",
    rate: "rate",
    discriminator: "discriminator",
    critic: "critic",
    generator: "generator",
    encoder: "encoder",
    even: "where nothing can be told apart",
    reconstructions: "reconstructions",
    samples: "samples",
  },
  {
    step: "스텝",
    iteration: "EM 반복",
    bounds: "log p(x)와 그 하한, nats",
    likelihood: "log p(x), nats",
    terms: "하한의 두 항, nats",
    players: "두 플레이어의 손실, nats",
    playersPlain: "두 플레이어의 손실",
    distance: "샘플과 데이터의 거리, MMD²",
    distanceOf: "재구성과 데이터의 거리, MMD²",
    error: "제곱 오차",
    distortion: "왜곡(distortion), nats",
    elbo: "ELBO",
    iwae: "IWAE 하한",
    train: "학습 점",
    held: "따로 둔 점",
    estimate: "따로 둔 점, 추정값",
    truth: "밀도 자체의 값, −H",
    rate: "레이트(rate)",
    discriminator: "판별자",
    critic: "비평자",
    generator: "생성자",
    encoder: "인코더",
    even: "구별할 수 없을 때의 값",
    reconstructions: "재구성",
    samples: "샘플",
  },
);

interface Chart {
  title: string;
  lines: Line[];
}

export function Charts({ model, loss, told, places }: { model: Model; loss: string; told: Told; places: Place[] }) {
  const x = places.map((place) => place.step);
  const charts = chartsOf(model, loss, told, places);
  return (
    <div class="charts">
      {charts.map((chart) => (
        <figure key={`${model}${chart.title}`} class="card">
          <figcaption>{chart.title}</figcaption>
          {!x.length && <div class="no-curve" />}
          {x.length > 0 && <Curves
            label={`${chart.title}: ${chart.lines.map((line) => `${line.label} ${line.values.findLast((v) => v !== null)?.toFixed(3) ?? "–"}`).join(", ")}`}
            x={x}
            xLabel={t(model === "gmm" ? "iteration" : "step")}
            lines={chart.lines}
            log={false}
            height={190}
          />}
        </figure>
      ))}
    </div>
  );
}

function chartsOf(model: Model, loss: string, told: Told, places: Place[]): Chart[] {
  const of = (name: string) => shown(places.map((place) => place.values[name] ?? null));
  const level = (label: string, value: number, colour = "--soft"): Line => ({
    label,
    colour,
    dash: [6, 5],
    values: places.map(() => value),
  });
  const truth = level(t("truth"), -told.entropy.nats, "--good");
  const [one, two] = [dataColour(), samplesColour()];
  const distance: Chart = {
    title: t(model === "ae" ? "distanceOf" : "distance"),
    lines: [{ label: t(model === "ae" ? "reconstructions" : "samples"), colour: two, values: of("mmd") }, level("0", 0)],
  };
  const players = (a: string, b: string, names: [string, string]): Chart => {
    const cross = loss === "non-saturating" || model === "aae";
    const lines: Line[] = [
      { label: names[0], colour: one, values: of(a) },
      { label: names[1], colour: two, values: of(b) },
    ];
    if (cross) lines.push(level("2 log 2", 2 * Math.LN2, one), level("log 2", Math.LN2, two));
    return { title: t(cross ? "players" : "playersPlain"), lines };
  };
  switch (model) {
    case "vae":
    case "iwae":
      return [
        {
          title: t("bounds"),
          lines: [
            ...(model === "iwae" ? [{ label: t("iwae"), colour: "#8250c4", values: of("iwae") }] : []),
            { label: t("elbo"), colour: one, values: of("bound") },
            { label: t("estimate"), colour: two, values: of("held_out") },
            truth,
          ],
        },
        {
          title: t("terms"),
          lines: [
            { label: t("distortion").split(",")[0]!, colour: two, values: of("distortion") },
            { label: t("rate"), colour: one, values: of("rate") },
          ],
        },
      ];
    case "flow":
    case "gmm":
      return [
        {
          title: t("likelihood"),
          lines: [
            { label: t("train"), colour: one, values: of("log_likelihood") },
            { label: t("held"), colour: two, values: of("held_out") },
            truth,
          ],
        },
        distance,
      ];
    case "gan":
      return [players("discriminator/loss", "generator/loss", [t("discriminator"), t("generator")]), distance];
    case "aae":
      return [
        {
          title: t("likelihood"),
          lines: [{ label: t("estimate"), colour: two, values: of("held_out") }, truth],
        },
        players("critic/loss", "matching/loss", [t("critic"), t("encoder")]),
        { title: t("distortion"), lines: [{ label: t("distortion").split(",")[0]!, colour: one, values: of("reconstruction/distortion") }] },
      ];
    case "ae":
      return [{ title: t("error"), lines: [{ label: t("error"), colour: one, values: of("squared_error") }] }, distance];
  }
}

/** Without the first plunge, beside which all the rest would be a flat line. */
function shown(values: (number | null)[]): (number | null)[] {
  const known = values.filter((value): value is number => value !== null && Number.isFinite(value));
  if (known.length < 20) return values;
  const sorted = known.slice(Math.floor(known.length / 5)).sort((a, b) => a - b);
  const low = sorted[0]!;
  const high = sorted.at(-1)!;
  const room = 0.6 * (high - low) + 1e-3;
  return values.map((value) => (value !== null && value >= low - room && value <= high + room ? value : null));
}
