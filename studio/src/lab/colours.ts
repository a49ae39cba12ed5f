// Colours of the lab's pictures, in light and in dark.
import { CLASSES, colour } from "../theme";
import type { Numbers } from "./types";

/** Data and samples, as critics see them: told apart also by those who see red and green alike. */
export const DATA = "#0072b2";
export const SAMPLES = "#d55e00";
export const GRID = "#009e73";
export const HUES = 48;

export function isDark(): boolean {
  const paper = colour("--card");
  return /^#[0-4]/.test(paper);
}

export const dataColour = () => (isDark() ? "#56b4e9" : DATA);
export const samplesColour = () => (isDark() ? "#f0a04b" : SAMPLES);
export const gridColour = () => (isDark() ? "#3fcf9f" : "#00805d");

/** A wheel of colours of one lightness. */
export function wheel(): string[] {
  const light = isDark() ? 0.76 : 0.62;
  return Array.from({ length: HUES }, (_, k) => `oklch(${light} 0.16 ${(360 * k) / HUES})`);
}

/** Which colour of the wheel each place of the plane has, by its angle. */
export function hues(points: Numbers): Uint8Array {
  const found = new Uint8Array(points.shape[0]!);
  for (let i = 0; i < found.length; i++) {
    const turn = Math.atan2(points.values[2 * i + 1]!, points.values[2 * i]!) / (2 * Math.PI);
    found[i] = Math.floor((turn + 1) * HUES) % HUES;
  }
  return found;
}

/** Of components of a mixture, again and again. */
export const classes = (count: number) => Array.from({ length: count }, (_, k) => CLASSES[k % CLASSES.length]!);

type Painter = (value: number, into: Uint8ClampedArray, at: number) => void;

/** log p: from nothing, 6 nats below the top, to violet. */
export function density(surface: Numbers): Painter {
  const top = surface.values.reduce((most, value) => Math.max(most, value), -Infinity);
  const [r, g, b] = isDark() ? [176, 148, 255] : [92, 62, 180];
  return (value, into, at) => {
    const share = Math.min(1, Math.max(0, 1 + (value - top) / 6));
    into[at] = r!;
    into[at + 1] = g!;
    into[at + 2] = b!;
    into[at + 3] = 165 * share ** 1.6;
  };
}

/** A logit: blue where it is taken for data, orange where for a sample, nothing where undecided. */
export function verdict(value: number, into: Uint8ClampedArray, at: number): void {
  const share = 2 / (1 + Math.exp(-value)) - 1;
  const [r, g, b] = share > 0 ? (isDark() ? [86, 180, 233] : [0, 114, 178]) : isDark() ? [240, 160, 75] : [213, 94, 0];
  into[at] = r!;
  into[at + 1] = g!;
  into[at + 2] = b!;
  into[at + 3] = 150 * Math.abs(share) ** 0.8;
}
