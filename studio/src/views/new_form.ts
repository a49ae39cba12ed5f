// What a training is made of, as the server tells it, and as it is asked for.
export interface Recipe {
  name: string;
  group: string;
  summary: string;
  paper: string;
}

export interface FormField {
  key: string;
  kind: "choice" | "flag" | "whole" | "number" | "text" | "slot";
  choices: string[];
  registry: string | null;
  default: string | null;
  required: boolean;
  optional: boolean;
  min: number | null;
  max: number | null;
  limits: string;
  unit: string;
  takes: string;
  text: string;
}

export interface Filling {
  name: string;
  summary: string;
  paper: string;
  fields: FormField[];
}

export interface Form {
  name: string;
  summary: string;
  paper: string;
  groups: { id: "recipe" | "first" | "training" | "data"; fields: FormField[] }[];
  slots: Record<string, Filling[]>;
  /** What the studio fills in. */
  filled: Values;
}

/** Texts by flag; what is not there is as the recipe has it. */
export type Values = Record<string, string>;

export type Source =
  | { kind: "name"; text: string }
  | { kind: "path"; text: string }
  | { kind: "upload"; id: string; name: string };

export interface Choices {
  data: { here: string[]; made: string[]; fetched: string[]; away: string[] };
  recipes: Recipe[];
  home: string;
}

/** Without what is as it would be anyway, and without options of what no longer fills a slot. */
export function changed(form: Form, values: Values): Values {
  const fields = new Map(form.groups.flatMap((group) => group.fields).map((field) => [field.key, field]));
  const kept: Values = {};
  for (const [key, value] of Object.entries(values)) {
    const [slot = "", inner] = key.split(".", 2);
    const field = fields.get(slot);
    if (!field || value === "") continue;
    if (inner === undefined) {
      if (value !== field.default) kept[key] = value;
      continue;
    }
    const filling = fillingOf(form, field, values[slot] ?? field.default ?? "auto");
    const option = filling?.fields.find((each) => each.key === inner);
    if (option && value !== option.default) kept[key] = value;
  }
  // A slot whose options are told is named, too: they belong to what was chosen.
  return kept;
}

export function fillingOf(form: Form, field: FormField, name: string): Filling | undefined {
  return field.registry ? form.slots[field.registry]?.find((each) => each.name === name) : undefined;
}

/** As the command line has it: `latent_dim` is `--latent-dim`. */
export function flagOf(key: string): string {
  return `--${key.replace(/_+$/, "").replaceAll("_", "-")}`;
}
