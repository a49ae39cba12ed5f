// Colours of points: of classes, or along a scale.
import type { MapPoints } from "../latent";
import { CLASSES } from "../theme";

/** Viridis, at even distances; light and dark, blue and yellow tell it apart for everybody. */
const SCALE = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
] as const;

const UNKNOWN = [140, 140, 140] as const;

export interface Coloured {
  colours: Uint8Array;
  /** What the legend says. */
  legend: { kind: "classes"; names: string[] } | { kind: "scale"; low: number; high: number } | null;
}

export function coloured(found: MapPoints): Coloured {
  const count = found.positions.length;
  const colours = new Uint8Array(3 * count);
  const { values, classes } = found;
  if (!values) {
    for (let k = 0; k < count; k += 1) colours.set(rgb(CLASSES[0]!), 3 * k);
    return { colours, legend: null };
  }
  if (classes) {
    const inks = CLASSES.map(rgb);
    values.forEach((value, k) => colours.set(inks[value % inks.length] ?? inks[0]!, 3 * k));
    return { colours, legend: { kind: "classes", names: classes } };
  }
  // A few extremes would leave one colour for all the others.
  const sorted = values.filter(Number.isFinite).sort();
  const low = sorted[Math.floor(0.01 * (sorted.length - 1))] ?? 0;
  const high = sorted[Math.ceil(0.99 * (sorted.length - 1))] ?? 1;
  values.forEach((value, k) => colours.set(scale((value - low) / (high - low || 1)), 3 * k));
  return { colours, legend: { kind: "scale", low, high } };
}

export function classColour(place: number): string {
  return CLASSES[place % CLASSES.length]!;
}

export function gradient(): string {
  return `linear-gradient(to right, ${SCALE.map((each) => `rgb(${each.join(" ")})`).join(", ")})`;
}

/** What is not known yet is grey. */
function scale(share: number): readonly number[] {
  if (!Number.isFinite(share)) return UNKNOWN;
  const place = Math.min(1, Math.max(0, share)) * (SCALE.length - 1);
  const below = Math.min(SCALE.length - 2, Math.floor(place));
  const rest = place - below;
  return SCALE[below]!.map((value, c) => Math.round((1 - rest) * value + rest * SCALE[below + 1]![c]!));
}

function rgb(text: string): [number, number, number] {
  const value = Number.parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
