// What the page was given: JSON and arrays, packed by lowerbound/shipping/page.py.
import { XzReadableStream } from "xz-decompress";
import type { Condition, Dimension, Directions } from "../latent";

export interface NetworkTold {
  /** Names in order. Data far from zero are float64. */
  inputs: Record<string, { shape: number[]; type: "float32" | "float64" | "int64" }>;
  outputs: string[];
}

export interface Told {
  title: string;
  notes: string[];
  networks: { decoder: NetworkTold; encoder?: NetworkTold };
  about: {
    name: string;
    path: null;
    recipe: string;
    kind: "image" | "vector" | "audio";
    event_shape: number[];
    width: number;
    dimensions: Dimension[];
    conditions: Condition[];
  };
  shown: {
    /** Of pictures, black; white. */
    low: number;
    high: number;
    /** The least level, the step to the next, the last where nothing lies beyond. */
    grid: [number, number, number | null] | null;
    columns: string[];
    rate: number | null;
  };
  map: { method: string; mean: number[]; axes: number[][]; told: number | null } | null;
  /** Classes of those that are labels. */
  colours: Record<string, string[] | null>;
  directions: Directions | null;
  originals:
    | { kind: "sounds" | "rows"; count: number }
    | { kind: string; across: number; width: number; height: number; count: number }
    | null;
  model: {
    data: string;
    train: number;
    parameters: number;
    steps: number;
    log_p: {
      value: number;
      kind: "exact" | "lower bound" | "estimate";
      error: number | null;
      bits: number;
      note: string;
      samples: number | null;
    } | null;
    bound: number | null;
    no_likelihood: string | null;
    version: string;
  };
  arrays: Record<string, { at: number; kind: string; shape: number[] }>;
}

const KINDS = { u1: Uint8Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

/** In the units of the data. */
export type Floats = Float32Array | Float64Array;
type Numbers =
  | Uint8Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

export class Packed {
  private readonly start: number;
  readonly told: Told;

  constructor(private readonly content: ArrayBuffer) {
    const length = Number(new DataView(content).getBigUint64(0, true));
    this.told = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length))) as Told;
    this.start = 8 + length;
  }

  /** Its numbers, without a copy; null where there is none of that name. */
  array(name: string): Numbers | null {
    const placed = this.told.arrays[name];
    if (!placed) return null;
    const size = placed.shape.reduce((product, each) => product * each, 1);
    const kind = KINDS[placed.kind as keyof typeof KINDS];
    return new kind(this.content, this.start + placed.at, size);
  }

  /** Row after row of a matrix; a vector has rows of one number. */
  rows(name: string): Rows | null {
    const values = this.array(name);
    const shape = this.told.arrays[name]?.shape;
    return values && shape ? new Rows(values, shape[0] ?? 0) : null;
  }
}

export class Rows {
  readonly width: number;

  constructor(
    private readonly values: Numbers,
    readonly count: number,
  ) {
    this.width = count ? values.length / count : 0;
  }

  at(row: number): number[] {
    return Array.from(this.values.subarray(row * this.width, (row + 1) * this.width));
  }
}

/** The content of a block of the page: base64 of what xz packed. */
export async function unpacked(id: string): Promise<ArrayBuffer> {
  const block = document.getElementById(id);
  const letters = atob(block?.textContent ?? "");
  block?.remove(); // the text is no longer needed, and is large
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  const stream = new XzReadableStream(new Blob([bytes]).stream());
  return new Response(stream).arrayBuffer();
}
