// One option: what it takes, its limits, unit, default and text, all from the signature.
import { useId } from "preact/hooks";
import { words } from "../words";
import { flagOf, type FormField } from "./new_form";

const t = words(
  { yes: "yes", no: "no", required: "needed", default: "default {value}", auto: "auto" },
  { yes: "예", no: "아니요", required: "필수", default: "기본값 {value}", auto: "자동" },
);

interface FieldProps {
  field: FormField;
  /** The flag's key, with its slot's: `likelihood.sigma`. */
  name: string;
  value: string;
  wrong: string | null;
  runs: string[];
  onChange: (value: string) => void;
}

export function NewField({ field, name, value, wrong, runs, onChange }: FieldProps) {
  const id = useId();
  const shown = field.default || t("auto");
  const text = field.text.replace(/\.$/, "");
  const facts = [
    field.unit,
    field.limits,
    field.kind === "text" ? field.takes : "",
    field.required ? t("required") : field.default ? t("default", { value: field.default }) : "",
  ].filter(Boolean);
  const common = {
    id,
    "aria-describedby": `${id}-text`,
    "aria-invalid": wrong ? true : undefined,
  };
  return (
    <div class={`option ${value ? "set" : ""}`}>
      <label for={id}>
        {field.key.replace(/_$/, "").replaceAll("_", " ")} <code class="soft">{flagOf(name)}</code>
      </label>
      {(field.kind === "choice" || field.kind === "slot") && (
        <select {...common} value={value || field.default || ""} onChange={(event) => onChange(event.currentTarget.value)}>
          {field.default === null && <option value="">{t("auto")}</option>}
          {field.choices.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      )}
      {field.kind === "flag" && (
        <select {...common} value={value || field.default || ""} onChange={(event) => onChange(event.currentTarget.value)}>
          {field.default === null && <option value="">{t("auto")}</option>}
          {(["yes", "no"] as const).map((each) => (
            <option key={each} value={each}>
              {t(each)}
            </option>
          ))}
        </select>
      )}
      {(field.kind === "whole" || field.kind === "number" || field.kind === "text") && (
        <input
          {...common}
          type="text"
          inputMode={field.kind === "whole" ? "numeric" : field.kind === "number" ? "decimal" : "text"}
          spellcheck={false}
          value={value}
          placeholder={shown}
          list={field.key === "base" ? `${id}-runs` : undefined}
          onInput={(event) => onChange(event.currentTarget.value.trim())}
        />
      )}
      {field.key === "base" && (
        <datalist id={`${id}-runs`}>
          {runs.map((run) => (
            <option key={run} value={run} />
          ))}
        </datalist>
      )}
      <p id={`${id}-text`} class="small soft">
        {text}
        {facts.length > 0 && ` (${facts.join("; ")})`}
      </p>
      {wrong && (
        <p class="problem small" role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}
