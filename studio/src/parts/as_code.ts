// The lines of Python that give what a view shows.
import type { About, Asked, Given, Ref } from "../latent";

const SEARCHED = 1000; // held-out examples, as the server searches

/** Null where there is no folder to open. */
export function pythonOf(about: About, asked: Asked): string | null {
  const suffix = about.files[0] ?? ".npy";
  const shown = (values: string, name: string) => {
    if (suffix === ".npy") return [`np.save("${name}.npy", ${values})`];
    return [`exploring.write_cells("${name}${suffix}", run, ${values}, "${name}")`];
  };
  const given = "given" in asked && asked.given ? [`given=${value(asked.given)}`] : [];
  switch (asked.what) {
    case "codes":
      return lines(about, [
        `values = exploring.decode_codes(${list("run", value(asked.codes), ...given)})`,
        ...shown(`values.reshape(-1, ${asked.columns}, *values.shape[1:])`, "decoded"),
      ]);
    case "path": {
      const ends = `[${asked.ends.map(refOf).join(", ")}]`;
      const options = [`steps=${asked.steps}`, `path="${asked.how}"`, ...given];
      return lines(about, [
        `found = lb.interpolate(${list("run", ends, ...options)})`,
        ...shown("found.decoded[None]", "morph"),
      ]);
    }
    case "edit": {
      const add = Object.entries(asked.changes).map(([name, logits]) => `${name}:${logits}`);
      const name = `edited${about.kind === "image" ? ".png" : ".npy"}`;
      return lines(about, [
        `found = lb.edit(${list("run", refOf(asked.ref), `add=${value(add)}`, ...given)})`,
        `found.save("${name}")`,
      ]);
    }
    case "vary": {
      const options = [`${asked.n}`, `spread=${asked.spread}`, `seed=${asked.seed}`, ...given];
      return lines(about, [
        `found = lb.vary(${list("run", refOf(asked.ref), ...options)})`,
        ...shown("found.decoded", "variations"),
      ]);
    }
    case "search": {
      const options = [`k=${asked.k}`, `by="${asked.by}"`, `limit=${SEARCHED}`, ...(asked.ref ? given : [])];
      const of = asked.ref ? [refOf(asked.ref)] : [];
      return lines(about, [
        `found = lb.search(${list("run", ...of, ...options)})`,
        "print(found.positions, found.score, found.unit)",
        ...shown("found.values[None]", "found"),
      ]);
    }
    case "sample": {
      const text = asked.text ? [`text=${value(asked.text)}`] : [];
      return lines(about, [
        `values = lb.sample(${list("run", `${asked.n}`, ...given, ...text, `seed=${asked.seed}`)})`,
        ...shown("values[None]", "samples"),
      ]);
    }
    case "forecast": {
      const { number, at, horizon, samples, seed } = asked;
      const options = [`at=${at}`, `horizon=${horizon}`, `samples=${samples}`, `seed=${seed}`];
      return lines(about, [
        `found = lb.forecast(${list("run", `${number}`, ...options)})`,
        "print(found.mean.shape, found.low[0, -1], found.high[0, -1])",
      ]);
    }
    case "map": {
      const { colour, method, limit } = asked.options;
      const options = [...(colour ? [`colour=${value(colour)}`] : []), `method="${method}"`, `limit=${limit}`];
      return lines(about, [
        `found = lb.map_codes(${list("run", ...options)})`,
        "print(found.map.method, found.colour, found.values[:10])",
        'np.save("map.npy", found.map.points)',
      ]);
    }
  }
}

/** Of two directions or dimensions. */
export function pythonOfPlane(
  about: About,
  ref: Ref,
  right: string,
  up: string,
  steps: number,
  given: Given,
): string | null {
  const options = [`right=${value(right)}`, `up=${value(up)}`, `steps=${steps}`];
  if (given) options.push(`given=${value(given)}`);
  return lines(about, [
    `found = lb.plane(${list("run", refOf(ref), ...options)})`,
    `exploring.write_cells("plane${about.files[0] ?? ".npy"}", run, found.decoded, "plane")`,
  ]);
}

function lines(about: About, own: string[]): string | null {
  if (about.path === null) return null;
  const wanted = own.join("\n");
  return [
    ...(wanted.includes("np.") ? ["import numpy as np"] : []),
    "import lowerbound as lb",
    ...(wanted.includes("exploring.") ? ["from lowerbound import exploring"] : []),
    `run = lb.open_run(${value(about.path)})`,
    ...own,
  ].join("\n");
}

/** Numbers, texts, lists and dicts, as Python writes them. */
function value(found: unknown): string {
  if (Array.isArray(found)) return `[${found.map(value).join(", ")}]`;
  if (typeof found === "object" && found !== null) {
    return `{${Object.entries(found).map(([name, each]) => `${value(name)}: ${value(each)}`).join(", ")}}`;
  }
  return JSON.stringify(found);
}

function list(...parts: string[]): string {
  return parts.join(", ");
}

function refOf(ref: Ref): string {
  switch (ref.kind) {
    case "held-out":
      return String(ref.number);
    case "prior":
      return `"prior:${ref.seed}"`;
    case "upload":
      return value(ref.name);
    case "code":
      return `np.array([${value(ref.code)}])`;
  }
}
