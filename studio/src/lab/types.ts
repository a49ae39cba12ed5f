// What the server tells of the lab; see src/lowerbound/studio/lab/.

/** Numbers in base64, and their shape. */
export interface Packed {
  shape: number[];
  f32: string;
}

export interface Numbers {
  shape: number[];
  values: Float32Array;
}

export function unpack(packed: Packed): Numbers {
  const text = atob(packed.f32);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { shape: packed.shape, values: new Float32Array(bytes.buffer) };
}

export type Model = "vae" | "iwae" | "ae" | "flow" | "gan" | "aae" | "gmm";
export type Pair = [number, number];

/** What can be chosen; those of `LIVE` need no new model. */
export interface Choices {
  density: string;
  points: number;
  model: Model;
  latent: number;
  /** 0 where it is learned. */
  sigma: number;
  width: number;
  layers: number;
  components: number;
  samples: number;
  loss: string;
  batch: number;
  seed: number;
  brush: number;
  learning_rate: number;
  beta: number;
  rate: number;
  repeats: number;
  stride: number;
  slow: number;
}
export const LIVE = ["learning_rate", "beta", "rate", "repeats", "stride", "slow"] as const;

export interface LabAbout {
  densities: Record<string, Packed>;
  models: Record<Model, { recipe: string; controls: (keyof Choices)[]; defaults: Partial<Choices> }>;
  limits: Record<string, Pair>;
  losses: string[];
}

/** Told once of a session. */
export interface Told {
  id: string;
  /** Half of the side of the square that is shown, of data and of codes. */
  reach: number;
  codes_reach: number;
  points: Numbers;
  /** log p(x) of the density itself, nats. */
  truth: Numbers;
  entropy: { nats: number; error: number };
  latent: number;
  /** Codes that the samples are made of. */
  noise: Numbers;
  modes: number | null;
}

/** What has come last of each part; surfaces come less often. */
export interface Frame {
  number: number;
  running: boolean;
  closed: boolean;
  error: string | null;
  done: boolean;
  step: number;
  speed: number;
  terms?: Record<string, number>;
  samples?: Numbers;
  nodes?: Numbers;
  node_codes?: Numbers;
  codes?: Numbers;
  /** Mean, then deviation, of some codes and of what is decoded of these. */
  posteriors?: Numbers;
  decoded?: Numbers;
  sigma?: number;
  rates?: number[];
  pair?: number[];
  arrows?: Numbers;
  weights?: number[];
  means?: Numbers;
  covariances?: Numbers;
  which?: number[];
  heat?: Numbers;
  code_heat?: Numbers;
  reading?: { held_out?: number; mmd: number; modes?: number; good?: number };
}

const PACKED = [
  "samples", "nodes", "node_codes", "codes", "posteriors", "decoded", "arrows", "means",
  "covariances", "heat", "code_heat",
] as const;

/** A frame as it came, with its numbers unpacked. */
export function opened(came: Record<string, unknown>): Frame {
  const found = { ...came };
  for (const name of PACKED) if (found[name]) found[name] = unpack(found[name] as Packed);
  return found as unknown as Frame;
}
