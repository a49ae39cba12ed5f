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

/** What can be done with a run: the views of a latent space that suit it. */
export type Tool =
  | "map" | "sliders" | "plane" | "morph" | "attributes" | "samples" | "similar" | "forecast";

export interface About {
  name: string;
  /** Of the run's folder, for "as code"; null where there is none. */
  path: string | null;
  tools: Tool[];
  recipe: string;
  kind: "image" | "video" | "audio" | "vector" | "tokens" | "sequence";
  event_shape: number[];
  /** Numbers in a code; 0 where there is none. */
  width: number;
  decodes: boolean;
  encodes: boolean;
  /** Whether codes can be drawn from a prior, or data at once. */
  samples: boolean;
  /** Whether its posterior has a spread, so that draws of it differ. */
  varies?: boolean;
  /** Those of the largest rate first. */
  dimensions: Dimension[];
  conditions: Condition[];
  /** A model that takes sentences. */
  text: boolean;
  /** Of the data; what a map can be coloured by. */
  colours: string[];
  /** Ways between examples. */
  ways: How[];
  /** Names of attributes that codes can be edited by; empty where the data have none. */
  attributes: string[];
  held_out: number;
  /** Theirs, in order, where not all of them are here. */
  numbers?: number[];
  /** What decoded data can be saved as, the best first: ".png". */
  files: string[];
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
  /** How many are placed and coloured, and how many there will be. */
  done: number;
  of: number;
}

export type How = "linear" | "spherical" | "geodesic";

export interface PathFound {
  codes: number[][];
  data: Datum[];
  /** How far the decoded data move in all, and the largest single step. */
  length: number | null;
  jump: number | null;
}

/** Draws of q(z|x), decoded. */
export interface Varied {
  original: Datum | null;
  reconstruction: Datum;
  data: Datum[];
}

export interface Sampled {
  data: Datum[];
  /** Of a sentence: words that no caption had. */
  notes: string[];
}

export interface Forecast {
  /** Steps that were given, and steps ahead. */
  at: number;
  horizon: number;
  /** Share of the data that the interval is to hold. */
  level: number;
  /** Of vectors, steps of a number for each name; `truth` ends with the data. */
  series?: {
    names: string[];
    past: (number | null)[][];
    truth: (number | null)[][];
    mean: (number | null)[][];
    low: (number | null)[][];
    high: (number | null)[][];
    draws: (number | null)[][][];
  };
  /** Of frames: what was, and whole clips that go on another way each. */
  films?: { data: Datum; draws: Datum[] };
}

export type By = "auto" | "code" | "reconstruction" | "bound";

export interface Found {
  /** Of the scores: distance, nats, squared error. */
  unit: string;
  searched: number;
  items: { position: number; score: number; original: Datum; reconstruction: Datum }[];
}

export interface Edited {
  original: Datum | null;
  reconstruction: Datum;
  edited: Datum;
  /** The edited picture at its own size; null of what is no picture. */
  image: Datum | null;
}

/** What a view shows, as it is told to a server that is to write it into a file. */
export type Asked =
  | { what: "codes"; codes: number[][]; columns: number; given: Given }
  | { what: "path"; ends: Ref[]; how: How; steps: number; given: Given }
  | { what: "edit"; ref: Ref; changes: Record<string, number>; given: Given }
  | { what: "vary"; ref: Ref; n: number; spread: number; seed: number; given: Given }
  | { what: "search"; ref: Ref | null; by: By; k: number; given: Given }
  | { what: "sample"; n: number; seed: number; given: Given; text: string | null }
  | { what: "map"; options: MapOptions }
  | { what: "forecast"; number: number; at: number; horizon: number; samples: number; seed: number };

export type Of<W extends Asked["what"]> = Omit<Extract<Asked, { what: W }>, "what">;

/** What is marked with ? need not be there; a view that lives by it is then no tool of `about`. */
export interface Latent {
  about: About;
  decode(codes: number[][], given: Given): Promise<Datum[]>;
  encode(ref: Ref, given: Given): Promise<Encoded>;
  /** Again and again with more points, until all are there. */
  map(options: MapOptions): AsyncIterable<MapPoints>;
  /** The codes behind places (x, y) on the map last drawn. */
  codesAt(places: [number, number][]): Promise<number[][]>;
  /** The datum of a point of the map. */
  datum(position: number): Promise<Datum>;
  path(ends: Ref[], how: How, steps: number, given: Given): Promise<PathFound>;
  directions(): Promise<Directions | null>;
  /** Without it nothing can be uploaded. */
  upload?(file: File): Promise<Ref>;
  /** Changes are in logits. Without it the decoded picture is all there is to see. */
  edit?(asked: Of<"edit">): Promise<Edited>;
  vary?(asked: Of<"vary">): Promise<Varied>;
  search?(asked: Of<"search">): Promise<Found>;
  /** How a held-out sequence may go on. */
  forecast?(asked: Of<"forecast">): Promise<Forecast>;
  sample?(asked: Of<"sample">): Promise<Sampled>;
  /** A file of one of `about.files`. Without it single data are saved as they are shown. */
  file?(asked: Asked, suffix: string): Promise<Blob>;
}
