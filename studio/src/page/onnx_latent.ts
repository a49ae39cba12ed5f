// The latent space of a page: its networks run in this browser, and what else there is to know
// came with the file.
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
import { Problem } from "../server";
import { words } from "../words";
import { conditionOf, inputsOf } from "./given";
import { between } from "./between";
import type { Network, Values } from "./network";
import type { Floats, Packed, Rows } from "./packed";
import { valuesOf } from "./read";
import { Sheet } from "./sheet";
import { datumOf } from "./show";

const t = words(
  {
    umap: "This page has one map; the studio draws others.",
    gone: "That file is no longer here; choose it again.",
    encoder: "This page has no encoder, so it has codes of its own examples alone.",
    away: "Held-out {n} is not in this page, which has {m} of them.",
    held: "held-out {n}",
    drawn: "draw {n}",
    code: "a code",
  },
  {
    umap: "이 페이지에는 지도가 하나뿐입니다. 다른 지도는 스튜디오에서 그릴 수 있습니다.",
    gone: "그 파일이 더는 없습니다. 다시 고르세요.",
    encoder: "이 페이지에는 인코더가 없어, 들어 있는 예제의 코드만 쓸 수 있습니다.",
    away: "평가용 {n}번은 이 페이지에 없습니다. 이 페이지에는 {m}개가 들어 있습니다.",
    held: "평가용 {n}번",
    drawn: "표본 {n}",
    code: "코드",
  },
);

export class OnnxLatent implements Latent {
  readonly about: About;
  private readonly codes: Rows | null;
  private readonly prior: Rows | null;
  private readonly sheet: Sheet | null;
  private readonly files = new Map<string, Floats>();
  /** Rows of the held-out examples that came along, by their numbers. */
  private readonly places: Map<number, number>;
  readonly upload?: (file: File) => Promise<Ref>;

  constructor(
    private readonly packed: Packed,
    private readonly decoder: Network,
    private readonly encoder: Network | null,
  ) {
    const { told } = packed;
    this.codes = packed.rows("codes");
    this.prior = packed.rows("prior");
    this.sheet = told.originals && Sheet.of(packed);
    const numbers = Array.from(packed.array("positions") ?? [], Number);
    this.places = new Map(numbers.map((number, row) => [number, row]));
    this.about = aboutOf(packed, numbers, this.prior !== null);
    if (encoder) this.upload = (file) => this.bring(file);
  }

  async decode(codes: number[][], given: Given): Promise<Datum[]> {
    const values = await this.values(codes, codes.map(() => given));
    return values.map((each) => datumOf(this.packed.told, each));
  }

  async encode(ref: Ref, given: Given): Promise<Encoded> {
    const { code, own, original, name } = await this.taken(ref, given);
    const [reconstruction] = await this.decode([code], own);
    return { name, code, original, reconstruction: reconstruction!, given: own };
  }

  async *map({ colour, method, limit }: MapOptions): AsyncIterable<MapPoints> {
    const { told } = this.packed;
    if (!told.map || !this.codes) throw new Problem(t("encoder"));
    if (method !== "auto" && method !== told.map.method) throw new Problem(t("umap"));
    const count = Math.min(limit, this.codes.count);
    const points = new Float32Array(2 * count);
    for (let row = 0; row < count; row++) points.set(this.placed(this.codes.at(row)), 2 * row);
    const name = colour ?? Object.keys(told.colours)[0] ?? "";
    yield {
      method: told.map.method,
      points,
      colour: name,
      values: (this.packed.array(`colour:${name}`) as Float32Array | null)?.slice(0, count) ?? null,
      classes: told.colours[name] ?? null,
      positions: Uint32Array.from([...this.places.keys()].slice(0, count)),
      told: told.map.told,
      done: count,
      of: count,
    };
  }

  codesAt(places: [number, number][]): Promise<number[][]> {
    const { mean, axes } = this.packed.told.map!;
    const [right = [], up = []] = axes;
    // Codes of one number lie on the diagonal.
    if (mean.length === 1) return Promise.resolve(places.map(([x, y]) => [(x + y) / 2]));
    const codes = places.map(([x, y]) => mean.map((m, d) => m + x * (right[d] ?? 0) + y * (up[d] ?? 0)));
    return Promise.resolve(codes);
  }

  async datum(position: number): Promise<Datum> {
    const found = await this.sheet?.at(this.row(position));
    return found ?? (await this.encode({ kind: "held-out", number: position }, null)).reconstruction;
  }

  async path(ends: Ref[], how: How, steps: number, given: Given): Promise<PathFound> {
    const taken = await Promise.all(ends.map((each) => this.taken(each, given)));
    const codes = between(taken.map((each) => each.code), steps, how);
    const last = codes.length - 1;
    // Labels change half way, numbers evenly.
    const beside = codes.map((_, place) => {
      const at = (place / last) * (ends.length - 1);
      const low = Math.min(Math.floor(at), ends.length - 2);
      return mixed(taken[low]!.own, taken[low + 1]!.own, at - low);
    });
    const values = await this.values(codes, beside);
    const data = values.map((each) => datumOf(this.packed.told, each));
    return { codes, data, length: null, jump: null };
  }

  directions(): Promise<Directions | null> {
    return Promise.resolve(this.packed.told.directions);
  }

  /** Decoded numbers in the units of the data, of each code. */
  async values(codes: number[][], given: Given[]): Promise<Floats[]> {
    if (!codes.length) return [];
    const beside = inputsOf(this.packed, given);
    const { data } = await this.decoder.run(codes.length, { code: codes.flat(), ...beside });
    const size = data!.length / codes.length;
    return codes.map((_, row) => data!.subarray(row * size, (row + 1) * size));
  }

  private placed(code: number[]): [number, number] {
    const { mean, axes } = this.packed.told.map!;
    const along = (axis: number[] | undefined) =>
      code.reduce((sum, value, d) => sum + (value - (mean[d] ?? 0)) * (axis?.[d] ?? 0), 0);
    return [along(axes[0]), along(axes[1])];
  }

  /** Where a held-out example stands among those that came along. */
  private row(number: number): number {
    const row = this.places.get(number);
    if (row === undefined) throw new Problem(t("away", { n: number, m: this.places.size }));
    return row;
  }

  private async bring(file: File): Promise<Ref> {
    const id = String(this.files.size);
    this.files.set(id, await valuesOf(this.packed.told, file));
    return { kind: "upload", id, name: file.name };
  }

  private async taken(ref: Ref, given: Given): Promise<Taken> {
    switch (ref.kind) {
      case "held-out": {
        if (!this.codes) throw new Problem(t("encoder"));
        const row = this.row(ref.number);
        const own = given ?? conditionOf(this.packed, "given", row);
        const original = (await this.sheet?.at(row)) ?? null;
        return { code: this.codes.at(row), own, original, name: t("held", { n: ref.number }) };
      }
      case "prior": {
        if (!this.prior) throw new Problem(t("encoder"));
        const number = ref.seed % this.prior.count;
        const own = given ?? conditionOf(this.packed, "prior given", number);
        return { code: this.prior.at(number), own, original: null, name: t("drawn", { n: ref.seed }) };
      }
      case "code":
        return { code: ref.code, own: given, original: null, name: t("code") };
      case "upload": {
        const values = this.files.get(ref.id);
        if (!values) throw new Problem(t("gone"));
        if (!this.encoder) throw new Problem(t("encoder"));
        const inputs: Values = { data: values, ...inputsOf(this.packed, [given]) };
        const { mean } = await this.encoder.run(1, inputs);
        const original = datumOf(this.packed.told, values);
        return { code: Array.from(mean!), own: given, original, name: ref.name };
      }
    }
  }
}

interface Taken {
  code: number[];
  own: Given;
  original: Datum | null;
  name: string;
}

function mixed(a: Given, b: Given, share: number): Given {
  if (!a || !b) return a ?? b;
  const pairs = Object.entries(a).map(([name, left]) => {
    const right = b[name] ?? left;
    const numbers = typeof left === "number" && typeof right === "number";
    return [name, numbers ? (1 - share) * left + share * right : share > 0.5 ? right : left] as const;
  });
  return Object.fromEntries(pairs);
}

function aboutOf(packed: Packed, numbers: number[], samples: boolean): About {
  const { about, directions, colours, map } = packed.told;
  const held_out = numbers.length;
  const whole = numbers.every((number, row) => number === row);
  const starts = held_out > 0 || samples;
  const can = {
    map: map !== null && held_out >= 3,
    sliders: starts && about.dimensions.length > 0,
    // 49 tables or players are no plane to look at.
    plane: starts && about.dimensions.length > 1 && about.kind === "image",
    morph: starts,
    attributes: directions !== null,
  };
  return {
    ...about,
    tools: (Object.keys(can) as (keyof typeof can)[]).filter((tool) => can[tool]),
    decodes: true,
    encodes: held_out > 0,
    samples,
    text: false,
    colours: Object.keys(colours),
    attributes: directions?.names ?? [],
    held_out,
    ...(whole ? {} : { numbers: [...numbers].sort((a, b) => a - b) }),
    files: [],
    ways: ["linear", "spherical"],
    varies: false,
  };
}
