// Codes on the way from one to the next, as lowerbound.latent.interpolate has them.
import type { How } from "../latent";
import { Problem } from "../server";
import { words } from "../words";

const t = words(
  { opposite: "These codes are opposite or zero, so no arc is the one between them; choose straight." },
  { opposite: "두 코드가 서로 반대이거나 0이어서 호를 하나로 정할 수 없습니다. 직선을 고르세요." },
);

const OPPOSITE = 1e-6;

/** `steps` codes on each leg, with its two ends; ends between legs stand once. */
export function between(ends: number[][], steps: number, how: How): number[][] {
  const codes: number[][] = ends.slice(0, 1);
  for (let leg = 0; leg + 1 < ends.length; leg++) {
    const [a, b] = [ends[leg]!, ends[leg + 1]!];
    for (let step = 1; step < steps; step++) {
      const share = step / (steps - 1);
      const last = step === steps - 1;
      codes.push(last ? b : how === "spherical" ? spherical(a, b, share) : linear(a, b, share));
    }
  }
  return codes;
}

function linear(a: number[], b: number[], share: number): number[] {
  return a.map((value, d) => (1 - share) * value + share * (b[d] ?? 0));
}

/** The direction turns evenly and the norm changes evenly. */
function spherical(a: number[], b: number[], share: number): number[] {
  const [one, two] = [norm(a), norm(b)];
  const dot = a.reduce((sum, value, d) => sum + value * (b[d] ?? 0), 0);
  const cosine = one > 0 && two > 0 ? Math.max(-1, Math.min(1, dot / (one * two))) : -1;
  if (cosine < OPPOSITE - 1) throw new Problem(t("opposite"));
  const angle = Math.acos(cosine);
  if (angle < OPPOSITE) return linear(a, b, share);
  const [left, right] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
  const unit = a.map((value, d) => (left * value) / one + (right * (b[d] ?? 0)) / two);
  const scale = (one + share * (two - one)) / norm(unit);
  return unit.map((value) => value * scale);
}

function norm(code: number[]): number {
  return Math.hypot(...code);
}
