// What the server tells of runs, and of the work that it does with them.
import { words } from "../words";

export interface RunInfo {
  id: string;
  name: string;
  path: string;
  recipe: string;
  data: string;
  kind: string;
  /** training, done, interrupted, failed, corrupt, … as the run itself has it. */
  state: string;
  /** Whether a process trains it now. */
  active: boolean;
  resumable: boolean;
  step: number;
  /** Steps in all; null where the clock decides. */
  total: number | null;
  seconds: number;
  began: string | null;
  error: string | null;
  /** log p(x) or its bound as last reported, with its kind and unit; null where there is none. */
  bound: { value: number; unit: string; kind: string; from: string } | null;
  /** Names of pictures in the run's folder, the newest first. */
  pictures: string[];
  /** The one of the newest that tells most. */
  thumbnail: string | null;
  /** The step of the last samples of a model that trains. */
  snapshot: number | null;
  report: boolean;
  /** Whether there is a model yet. */
  weights: boolean;
  /** When it last said something, in seconds since 1970. */
  changed: number;
  /** What the studio does with it now. */
  job: JobInfo | null;
}

export interface JobInfo {
  id: string;
  kind: "train" | "resume" | "evaluate" | "diagnose" | "compare";
  name: string | null;
  /** The id of its run, once there is one. */
  run?: string | null;
  command: string;
  state: "running" | "stopping" | "done" | "stopped" | "failed";
  /** What it said last, or its error. */
  line: string;
  done: number | null;
  total: number | null;
  seconds: number;
}

export type State = "training" | "measuring" | "finished" | "stopped" | "failed" | "corrupt" | "unknown";
export const STATES: State[] = ["training", "measuring", "finished", "stopped", "failed", "corrupt"];

export const stateWords = words(
  {
    training: "training",
    measuring: "measuring",
    finished: "finished",
    stopped: "stopped",
    failed: "failed",
    corrupt: "corrupt",
    unknown: "unknown",
  },
  {
    training: "학습 중",
    measuring: "평가 중",
    finished: "완료",
    stopped: "중단됨",
    failed: "실패",
    corrupt: "손상됨",
    unknown: "알 수 없음",
  },
);

/** What a person calls it. A run that says "training" while nobody trains it was killed. */
export function stateOf(run: RunInfo): State {
  if (run.state === "corrupt" || run.state === "failed") return run.state;
  if (run.active || run.job?.kind === "resume") {
    if (run.state === "training" || run.state === "interrupted") return "training";
  }
  if (run.job) return run.job.kind === "train" && run.state === "training" ? "training" : "measuring";
  if (["done", "early stopping", "solved"].includes(run.state)) return "finished";
  return ["training", "interrupted"].includes(run.state) ? "stopped" : "unknown";
}

const SIGNS: Record<string, string> = { exact: "=", "lower bound": "≥", estimate: "≈" };

const kinds = words(
  { exact: "exact", "lower bound": "lower bound", estimate: "estimate" },
  { exact: "정확한 값", "lower bound": "하한", estimate: "추정값" },
);

/** `log p(x) ≥ −104.72 nats` and what kind of number that is. */
export function boundOf(run: RunInfo): { text: string; kind: string } | null {
  if (!run.bound) return null;
  const { value, unit, kind } = run.bound;
  const shown = number(value);
  const known = kind in SIGNS ? kinds(kind as "exact") : kind;
  return { text: `log p(x) ${SIGNS[kind] ?? "≈"} ${shown} ${unit}`, kind: known };
}

/** Four figures and more, with a real minus. */
export function number(value: number): string {
  const size = Math.abs(value);
  const text = size >= 1000 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toPrecision(3);
  return text.replace("-", "−");
}

/** 42 s, 3 min, 1 h 5 min. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
