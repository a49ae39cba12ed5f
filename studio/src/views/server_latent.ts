// The latent space of a run, asked of the server.
import type {
  About,
  Datum,
  Directions,
  Encoded,
  Given,
  How,
  Latent,
  MapOptions,
  MapPoints,
  PathFound,
  Ref,
} from "../latent";
import { get, post } from "../server";

interface MapReply {
  method: string;
  points: string;
  colour: string;
  values: string | null;
  classes: string[] | null;
  positions: string;
  told: number | null;
}

export class ServerLatent implements Latent {
  private drawn: MapOptions | null = null;

  constructor(
    readonly run: string,
    readonly about: About,
  ) {}

  private at(what: string): string {
    return `run/${encodeURIComponent(this.run)}/${what}`;
  }

  decode(codes: number[][], given: Given): Promise<Datum[]> {
    return post(this.at("decode"), { codes, given });
  }

  encode(ref: Ref, given: Given): Promise<Encoded> {
    return post(this.at("encode"), { ref, given });
  }

  async map(options: MapOptions): Promise<MapPoints> {
    const reply = await get<MapReply>(this.at("map"), { ...options });
    this.drawn = options;
    return {
      ...reply,
      points: new Float32Array(bytes(reply.points)),
      values: reply.values === null ? null : new Float32Array(bytes(reply.values)),
      positions: new Uint32Array(bytes(reply.positions)),
    };
  }

  codeAt(x: number, y: number): Promise<number[]> {
    return post(this.at("code-at"), { x, y, ...this.drawn });
  }

  datum(position: number): Promise<Datum> {
    return get(this.at("datum"), { position });
  }

  path(ends: Ref[], how: How, steps: number, given: Given): Promise<PathFound> {
    return post(this.at("path"), { ends, how, steps, given });
  }

  directions(): Promise<Directions | null> {
    return get(this.at("directions"));
  }
}

/** Numbers travel as base64 of their little-endian bytes: 10,000 points in 110 kB. */
function bytes(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}
