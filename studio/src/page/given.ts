// What a conditional model is given, between a reader's words and a network's numbers.
import type { Given } from "../latent";
import type { Values } from "./network";
import type { Packed } from "./packed";

/** The inputs beside codes or data, for several examples. */
export function inputsOf(packed: Packed, given: Given[]): Values {
  const { conditions } = packed.told.about;
  const first = conditions[0];
  if (!first) return {};
  if (first.kind === "choice") {
    const numbers = given.map((each) => {
      const name = String(each?.[first.name] ?? first.choices[0]);
      return Math.max(0, first.choices.indexOf(name));
    });
    return { [first.name]: numbers };
  }
  const numbers = given.flatMap((each) =>
    conditions.map((condition) => {
      const typical = condition.kind === "number" ? condition.typical : 0;
      return Number(each?.[condition.name] ?? typical);
    }),
  );
  return { attributes: numbers };
}

/** The condition of an example that came with the page. */
export function conditionOf(packed: Packed, name: string, row: number): Given {
  const { conditions } = packed.told.about;
  const values = packed.rows(name)?.at(row);
  if (!values || !conditions.length) return null;
  const pairs = conditions.map((condition, place) => {
    const value = values[place] ?? 0;
    return [condition.name, condition.kind === "choice" ? (condition.choices[value] ?? "") : value] as const;
  });
  return Object.fromEntries(pairs);
}
