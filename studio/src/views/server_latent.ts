// The latent space of a run, asked of the server.
import type {
  About,
  Asked,
  Datum,
  Directions,
  Edited,
  Encoded,
  Forecast,
  Found,
  Given,
  How,
  Latent,
  MapOptions,
  MapPoints,
  Of,
  PathFound,
  Ref,
  Sampled,
  Varied,
} from "../latent";
import { Problem, get, messageOf, post, upload, url } from "../server";

interface MapReply {
  method: string;
  points: string;
  colour: string;
  values: string | null;
  classes: string[] | null;
  positions: string;
  told: number | null;
  done: number;
  of: number;
  /** `code = mean + place · axes`; null of a map that has none. */
  mean: number[] | null;
  axes: number[][] | null;
}

export class ServerLatent implements Latent {
  private drawn: { options: MapOptions; mean: number[] | null; axes: number[][] | null } | null = null;

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

  async *map(options: MapOptions): AsyncIterable<MapPoints> {
    // The server encodes while it is asked: who leaves the view stops it.
    for (;;) {
      const reply = await get<MapReply>(this.at("map"), { ...options });
      this.drawn = { options, mean: reply.mean, axes: reply.axes };
      yield {
        ...reply,
        points: new Float32Array(bytes(reply.points)),
        values: reply.values === null ? null : new Float32Array(bytes(reply.values)),
        positions: new Uint32Array(bytes(reply.positions)),
      };
      if (reply.done === reply.of) return;
    }
  }

  async codesAt(places: [number, number][]): Promise<number[][]> {
    if (!this.drawn) throw new Problem("there is no map yet");
    const { options, mean, axes } = this.drawn;
    if (!mean || !axes) return post(this.at("code-at"), { places, ...options });
    return places.map((place) =>
      mean.map((middle, d) =>
        axes.reduce((sum, axis, number) => sum + (place[number] ?? 0) * (axis[d] ?? 0), middle),
      ),
    );
  }

  datum(position: number): Promise<Datum> {
    return get(this.at("datum"), { position });
  }

  path(ends: Ref[], how: How, steps: number, given: Given): Promise<PathFound> {
    return post(this.at("path"), { ends, how, steps, given });
  }

  directions(): Promise<Directions | null> {
    return this.about.attributes.length ? get(this.at("directions")) : Promise.resolve(null);
  }

  async upload(file: File): Promise<Ref> {
    return { kind: "upload", ...(await upload(file)) };
  }

  edit(asked: Of<"edit">): Promise<Edited> {
    return post(this.at("edit"), asked);
  }

  vary(asked: Of<"vary">): Promise<Varied> {
    return post(this.at("vary"), asked);
  }

  search(asked: Of<"search">): Promise<Found> {
    return post(this.at("search"), asked);
  }

  forecast(asked: Of<"forecast">): Promise<Forecast> {
    return post(this.at("forecast"), asked);
  }

  sample(asked: Of<"sample">): Promise<Sampled> {
    return post(this.at("sample"), asked);
  }

  async file(asked: Asked, suffix: string): Promise<Blob> {
    let reply: Response;
    try {
      reply = await fetch(url(this.at("file")), {
        method: "POST",
        body: JSON.stringify({ ...asked, suffix }),
        headers: { "Content-Type": "application/json", "X-Lowerbound": "1" },
      });
    } catch (error) {
      throw new Problem(messageOf(error));
    }
    if (!reply.ok) throw new Problem(((await reply.json()) as { error: string }).error);
    return reply.blob();
  }
}

/** Numbers travel as base64 of their little-endian bytes: 10,000 points in 110 kB. */
function bytes(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}
