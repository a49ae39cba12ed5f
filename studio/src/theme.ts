// Light, dark, or what the system says.
import { effect, signal } from "@preact/signals";
import { keep } from "./words";

export type Theme = "system" | "light" | "dark";

const KEPT = "lowerbound.theme";
const kept = keep(KEPT);

export const theme = signal<Theme>(kept === "light" || kept === "dark" ? kept : "system");
/** Counts up when colours change, for what is painted on a canvas. */
export const painted = signal(0);

effect(() => {
  const chosen = theme.value;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  keep(KEPT, chosen);
  painted.value = painted.peek() + 1;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  painted.value = painted.peek() + 1;
});

/** A colour of the style sheet, as `--ink`, for a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Of classes; told apart also by those who see red and green alike (Okabe and Ito). */
export const CLASSES = [
  "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
  "#d55e00", "#8a7b00", "#7f7f7f", "#6a3d9a", "#00a6a6",
];
