// What a conditional model is given.
import type { About, Condition, Given, Ref } from "../latent";
import { words } from "../words";
import { Choice, Slider } from "./basics";

const t = words(
  { given: "Given", any: "as in the data" },
  { given: "조건", any: "데이터와 같이" },
);

/** A condition to begin with; null of a model that takes none. */
export function firstGiven(about: About): Given {
  const found: Record<string, string | number> = {};
  for (const each of about.conditions) {
    found[each.name] = each.kind === "choice" ? (each.choices[0] ?? "") : each.typical;
  }
  return about.conditions.length ? found : null;
}

/** Held-out examples bring their own. */
export function givenOf(ref: Ref, given: Given): Given {
  return ref.kind === "held-out" ? null : given;
}

interface GivenProps {
  about: About;
  value: Given;
  onChange: (given: Given) => void;
  /** Whether it may be left to the data. */
  any?: boolean;
}

export function GivenFields({ about, value, onChange, any = false }: GivenProps) {
  if (!about.conditions.length) return null;
  return (
    <fieldset class="given">
      <legend class="small">{t("given")}</legend>
      {any && (
        <label class="small check">
          <input
            type="checkbox"
            checked={value === null}
            onChange={(event) => onChange(event.currentTarget.checked ? null : firstGiven(about))}
          />{" "}
          {t("any")}
        </label>
      )}
      {value &&
        about.conditions.map((each) => (
          <Field
            key={each.name}
            condition={each}
            value={value[each.name]}
            onChange={(found) => onChange({ ...value, [each.name]: found })}
          />
        ))}
    </fieldset>
  );
}

interface FieldProps {
  condition: Condition;
  value: string | number | undefined;
  onChange: (value: string | number) => void;
}

function Field({ condition, value, onChange }: FieldProps) {
  if (condition.kind === "choice") {
    return (
      <Choice
        label={condition.name}
        value={String(value ?? condition.choices[0] ?? "")}
        choices={condition.choices.map((each) => [each, each] as const)}
        onChange={onChange}
      />
    );
  }
  const number = Number(value ?? condition.typical);
  return (
    <Slider
      label={condition.name}
      value={number}
      low={Math.min(condition.low, number)}
      high={Math.max(condition.high, number)}
      shown={String(Number(number.toPrecision(3)))}
      onInput={onChange}
    />
  );
}
