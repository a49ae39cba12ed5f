// The two pictures of the lab: the plane of the data, and that of the codes.
import { classes, dataColour, density, gridColour, hues, samplesColour, verdict, wheel } from "./colours";
import { colour } from "../theme";
import type { Paint } from "./paint";
import type { Frame, Model, Numbers, Told } from "./types";

/** What is shown of the data's plane. */
export interface Layers {
  data: boolean;
  samples: boolean;
  surface: "model" | "truth" | "none";
  grid: boolean;
  ellipses: boolean;
  arrows: boolean;
  /** From 0, samples and grid as noise, to 1, as the model bends them. */
  bend: number;
}

export const LAYERS: Layers = {
  data: true,
  samples: true,
  surface: "model",
  grid: true,
  ellipses: true,
  arrows: true,
  bend: 1,
};

const ENCODES: readonly Model[] = ["vae", "iwae", "aae", "flow", "ae"];

export function paintData(paint: Paint, model: Model, told: Told, frame: Frame | null, layers: Layers): void {
  paint.clear();
  const coloured = ENCODES.includes(model);
  const bent = layers.bend >= 1;
  if (layers.surface === "truth") paint.surface(told.truth, density(told.truth));
  else if (layers.surface === "model" && frame?.heat && bent) {
    paint.surface(frame.heat, model === "gan" ? verdict : density(frame.heat));
  }
  if (layers.grid && frame?.nodes && frame.node_codes) {
    const nodes = between(wide(frame.node_codes), frame.nodes, layers.bend);
    if (model === "gan") paint.cells(nodes, gridColour());
    paint.net(nodes, gridColour(), nodes.shape[0] === 1 ? 0.9 : 0.6);
  }
  if (layers.data) {
    if (model === "gmm" && frame?.which && frame.weights) {
      const first = head(told.points, frame.which.length);
      paint.points(first, 3, classes(frame.weights.length), 0.75, frame.which);
    } else if (coloured) paint.points(told.points, 3, wheel(), 0.75, hues(told.points));
    else paint.points(told.points, 3, [dataColour()], 0.6);
  }
  if (layers.samples && frame?.samples) {
    const samples = between(wide(told.noise), frame.samples, told.latent ? layers.bend : 1);
    const style = model === "gan" ? samplesColour() : colour("--ink");
    paint.points(samples, model === "gan" ? 3 : 2.4, [style], model === "gan" ? 0.65 : 0.6);
  }
  if (layers.ellipses && bent && frame?.decoded) {
    const colours = wheel();
    const which = hues(told.points);
    eachNormal(frame.decoded, (x, y, a, b, i) => {
      paint.ellipse(x, y, 2 * a, 2 * b);
      paint.stroke(colours[which[i]!]!, 1.3);
    });
  }
  if (layers.ellipses && frame?.means && frame.covariances && frame.weights) paintComponents(paint, frame);
  if (layers.arrows && bent && frame?.arrows) paint.arrows(frame.arrows, colour("--ink"), 0.45);
  if (!bent) paint.text(`z · ${Math.round(100 * (1 - layers.bend))} %`, paint.side / 2, 18 * paint.dense, "center");
}

export function paintCodes(paint: Paint, model: Model, told: Told, frame: Frame | null): void {
  paint.clear();
  if (model === "gmm") return paintWeights(paint, frame);
  if (!frame?.node_codes) return;
  if (frame.node_codes.shape[2] === 1) return paintLine(paint, model, told, frame);
  if (frame.code_heat) paint.surface(frame.code_heat, model === "aae" ? verdict : density(frame.code_heat));
  paint.net(frame.node_codes, gridColour(), 0.28);
  if (model !== "ae") {
    for (const radius of [1, 2, 3]) {
      paint.ink.setLineDash([4 * paint.dense, 4 * paint.dense]);
      paint.ellipse(0, 0, radius, radius);
      paint.stroke(colour("--soft"), 1, 0.8);
      paint.ink.setLineDash([]);
      paint.text(`${radius}σ`, paint.x(0) + 3 * paint.dense, paint.y(radius) - 3 * paint.dense);
    }
  }
  if (model === "gan") return paint.points(told.noise, 2.6, [samplesColour()], 0.5);
  if (!frame.codes) return;
  const colours = wheel();
  const which = hues(told.points);
  paint.points(frame.codes, 3, colours, 0.8, which);
  if (frame.posteriors) {
    eachNormal(frame.posteriors, (x, y, a, b, i) => {
      paint.ellipse(x, y, 2 * a, 2 * b);
      paint.stroke(colours[which[i]!]!, 1.4);
    });
  }
}

/** Codes of one number: their densities above, the codes themselves and posteriors below. */
function paintLine(paint: Paint, model: Model, told: Told, frame: Frame): void {
  const floor = 0.55 * paint.side;
  const tall = 0.45 * paint.side;
  const { ink } = paint;
  const line = (points: [number, number][]) => {
    ink.beginPath();
    points.forEach(([x, y], i) => (i ? ink.lineTo(x, y) : ink.moveTo(x, y)));
  };
  line([[0, floor], [paint.side, floor]]);
  paint.stroke(colour("--soft"), 1);
  for (let z = -3; z <= 3; z++) paint.text(`${z}`, paint.x(z), floor + 13 * paint.dense, "center");
  const at = (z: number, share: number): [number, number] => [paint.x(z), floor - share * tall];
  const places = Array.from({ length: 121 }, (_, k) => ((k / 60) - 1) * paint.reach);
  let above: [number, number][] = [];
  if (frame.code_heat) {
    const { values } = frame.code_heat;
    const step = (2 * paint.reach) / values.length;
    above = Array.from(values, (value, k): [number, number] => {
      const share = model === "aae" ? 1 / (1 + Math.exp(-value)) : 1.6 * Math.exp(value);
      return at((k + 0.5) * step - paint.reach, Math.min(share, 1.15));
    });
  } else if (frame.codes) {
    const { values } = frame.codes;
    const wide = 0.035 * paint.reach;
    const dense = places.map((z) => values.reduce((sum, code) => sum + Math.exp(-0.5 * ((code - z) / wide) ** 2), 0));
    const most = Math.max(...dense, 1e-9);
    above = places.map((z, k) => at(z, (0.9 * dense[k]!) / most));
  }
  if (above.length) {
    line([at(-paint.reach, 0), ...above, at(paint.reach, 0)]);
    ink.globalAlpha = 0.3;
    ink.fillStyle = "#7a5cd0";
    ink.fill();
    line(above);
    paint.stroke("#7a5cd0", 1.5);
  }
  if (model !== "ae") {
    ink.setLineDash([5 * paint.dense, 4 * paint.dense]);
    line(places.map((z) => at(z, 1.6 * Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI))));
    paint.stroke(colour("--ink"), 1.4, 0.8);
    ink.setLineDash([]);
  }
  const colours = wheel();
  const which = hues(told.points);
  const shown = model === "gan" ? told.noise : frame.codes;
  if (!shown) return;
  const [count = 0, width = 1] = shown.shape;
  for (let i = 0; i < count; i++) {
    // Spread by a fixed jitter, so that many at one place are seen to be many.
    const y = floor + (24 + ((i * 61.8) % 60)) * paint.dense;
    ink.globalAlpha = 0.75;
    ink.fillStyle = model === "gan" ? samplesColour() : colours[which[i]!]!;
    ink.fillRect(paint.x(shown.values[i * width]!), y, 3 * paint.dense, 3 * paint.dense);
  }
  ink.globalAlpha = 1;
  const { posteriors } = frame;
  for (let i = 0; posteriors && i < posteriors.shape[0]!; i++) {
    const [mean, deviation] = [posteriors.values[2 * i]!, posteriors.values[2 * i + 1]!];
    const y = floor + (96 + i * 2.2) * paint.dense;
    line([[paint.x(mean - 2 * deviation), y], [paint.x(mean + 2 * deviation), y]]);
    paint.stroke(colours[which[i]!]!, 1.8);
  }
}

function paintComponents(paint: Paint, frame: Frame): void {
  const colours = classes(frame.weights!.length);
  const means = frame.means!.values;
  const covariances = frame.covariances!.values;
  frame.weights!.forEach((weight, k) => {
    const [a, b, d] = [covariances[4 * k]!, covariances[4 * k + 1]!, covariances[4 * k + 3]!];
    const middle = (a + d) / 2;
    const away = Math.hypot((a - d) / 2, b);
    const turned = 0.5 * Math.atan2(2 * b, a - d);
    const strength = Math.min(1, 0.35 + 0.65 * weight * frame.weights!.length);
    for (const radius of [1, 2]) {
      const long = radius * Math.sqrt(middle + away);
      const short = radius * Math.sqrt(Math.max(middle - away, 1e-9));
      paint.ellipse(means[2 * k]!, means[2 * k + 1]!, long, short, turned);
      paint.stroke(colours[k]!, radius === 1 ? 2.4 : 1.2, strength);
    }
  });
}

/** Shares of the components, as bars. */
function paintWeights(paint: Paint, frame: Frame | null): void {
  const weights = frame?.weights ?? [];
  const colours = classes(weights.length);
  const most = Math.max(0.01, ...weights);
  const room = paint.side - 16 * paint.dense;
  const tall = Math.min(28 * paint.dense, room / Math.max(1, weights.length));
  weights.forEach((weight, k) => {
    const y = 8 * paint.dense + k * tall;
    paint.ink.fillStyle = colours[k]!;
    paint.ink.globalAlpha = 0.85;
    paint.ink.fillRect(36 * paint.dense, y + 0.15 * tall, (0.72 * paint.side * weight) / most, 0.7 * tall);
    paint.ink.globalAlpha = 1;
    const base = y + tall / 2 + 4 * paint.dense;
    paint.text(`${k + 1}`, 28 * paint.dense, base, "right");
    paint.text(`${(100 * weight).toFixed(1)} %`, 42 * paint.dense + (0.72 * paint.side * weight) / most, base);
  });
}

/** Rows of mean (2) and deviation (2). */
function eachNormal(normals: Numbers, each: (x: number, y: number, a: number, b: number, i: number) => void): void {
  if (normals.shape[1] !== 4) return;
  for (let i = 0; i < normals.shape[0]!; i++) {
    const [x, y, a, b] = normals.values.subarray(4 * i, 4 * i + 4);
    each(x!, y!, a!, b!, i);
  }
}

function head(points: Numbers, count: number): Numbers {
  return { shape: [Math.min(count, points.shape[0]!), 2], values: points.values };
}

/** Codes of one number as places on a line of the plane. */
function wide(codes: Numbers): Numbers {
  const width = codes.shape.at(-1);
  if (width !== 1) return codes;
  const values = new Float32Array(2 * codes.values.length);
  codes.values.forEach((value, i) => (values[2 * i] = value));
  return { shape: [...codes.shape.slice(0, -1), 2], values };
}

/** On the straight way from codes to what they become. */
function between(codes: Numbers, data: Numbers, share: number): Numbers {
  if (share >= 1 || codes.values.length !== data.values.length) return data;
  return { shape: data.shape, values: data.values.map((x, i) => x * share + codes.values[i]! * (1 - share)) };
}
