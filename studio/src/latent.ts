// What the views of a latent space ask for. The studio answers through its server
// (views/server_latent.ts), the page to give away with a decoder in the browser (page/).

/** A datum that can be shown. `src` is a data: or blob: address. */
export type Datum =
  | { kind: "image"; src: string; width: number; height: number }
  | { kind: "film"; src: string; width: number; height: number; frames: number }
  | { kind: "sound"; src: string; picture: string; seconds: number }
  | { kind: "row"; names: string[]; values: (number | null)[] }
  | { kind: "series"; names: string[]; steps: (number | null)[][] }
  | { kind: "tokens"; tokens: number[]; levels: number };

/** What a person points at; never a path: files are uploaded first. */
export type Ref =
  | { kind: "held-out"; number: number }
  | { kind: "prior"; seed: number }
  | { kind: "upload"; id: string; name: string }
  | { kind: "code"; code: number[] };

/** A condition, as `--given` has it: a label's name, attributes with their values. */
export type Given = Record<string, string | number> | null;

export interface Dimension {
  index: number;
  /** Nats, of the aggregate; null where the rate has no such parts. */
  rate: number | null;
  /** Of codes of data: where the slider stands, and half of its range is 3 deviations. */
  mean: number;
  deviation: number;
}

/** What can be given to a conditional model. */
export type Condition =
  | { name: string; kind: "choice"; choices: string[] }
  | { name: string; kind: "number"; low: number; high: number; typical: number };

export interface About {
  name: string;
  recipe: string;
  kind: "image" | "video" | "audio" | "vector" | "tokens" | "sequence";
  event_shape: number[];
  /** Numbers in a code; 0 where there is none. */
  width: number;
  decodes: boolean;
  encodes: boolean;
  /** Whether codes can be drawn from a prior, or data at once. */
  samples: boolean;
  /** Those of the largest rate first. */
  dimensions: Dimension[];
  conditions: Condition[];
  /** A model that takes sentences. */
  text: boolean;
  /** Of the data; what a map can be coloured by. */
  colours: string[];
  /** Names of attributes that codes can be edited by; empty where the data have none. */
  attributes: string[];
  held_out: number;
}

export interface Encoded {
  name: string;
  code: number[];
  original: Datum | null;
  reconstruction: Datum;
  given: Given;
}

export interface Directions {
  names: string[];
  /** A step that moves its own attribute's logit by 1, for each of the names. */
  vectors: number[][];
  weights: number[][];
  biases: number[];
  /** Median logit of examples without and with it. */
  typical: [number, number][];
  /** Logits of the whole step from those without to those with it. */
  natural: number[];
  accuracy: number[];
  share: number[];
  vague: boolean[];
}

export interface MapOptions {
  colour: string | null;
  method: "auto" | "raw" | "pca" | "umap";
  limit: number;
}

export interface MapPoints {
  method: string;
  /** x and y of each point, in turn. */
  points: Float32Array;
  colour: string;
  /** Of each point; a class's number where `classes` are there. */
  values: Float32Array | null;
  classes: string[] | null;
  /** Numbers of the held-out examples. */
  positions: Uint32Array;
  /** Share of the codes' variance that the plane shows; null where that is not known. */
  told: number | null;
}

export type How = "linear" | "spherical" | "geodesic";

export interface PathFound {
  codes: number[][];
  data: Datum[];
  /** How far the decoded data move in all, and the largest single step. */
  length: number | null;
  jump: number | null;
}

export interface Latent {
  about: About;
  decode(codes: number[][], given: Given): Promise<Datum[]>;
  encode(ref: Ref, given: Given): Promise<Encoded>;
  map(options: MapOptions): Promise<MapPoints>;
  /** The code behind a place on the map last drawn. */
  codeAt(x: number, y: number): Promise<number[]>;
  /** The datum of a point of the map. */
  datum(position: number): Promise<Datum>;
  path(ends: Ref[], how: How, steps: number, given: Given): Promise<PathFound>;
  directions(): Promise<Directions | null>;
}
