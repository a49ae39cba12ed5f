// The form of a recipe, made of its signature; what fills a slot brings its own fields.
import { words } from "../words";
import { NewField } from "./NewField";
import { fillingOf, type Form, type FormField, type Values } from "./new_form";

const t = words(
  {
    recipe: "Options of {name}",
    first: "Training",
    training: "More of training",
    data: "How the data are read and prepared",
    slot: "Options of {name}",
  },
  {
    recipe: "{name} 설정",
    first: "학습",
    training: "학습 설정 더 보기",
    data: "데이터를 읽고 준비하는 방법",
    slot: "{name} 설정",
  },
);

interface FormProps {
  form: Form;
  values: Values;
  /** The flag that the server's line is about, and the line. */
  wrong: { key: string; text: string } | null;
  /** Folders of runs, for recipes that build on one. */
  runs: string[];
  onChange: (key: string, value: string) => void;
}

export function NewForm({ form, values, wrong, runs, onChange }: FormProps) {
  const fieldsOf = (id: string) => form.groups.find((group) => group.id === id)?.fields ?? [];
  const list = (id: string) => (
    <div class="fields">
      {fieldsOf(id).map((field) => (
        <Slotted key={field.key} {...{ form, field, values, wrong, runs, onChange }} />
      ))}
    </div>
  );
  // What the server's line is about must be seen.
  const open = (id: string) => fieldsOf(id).some((field) => wrong?.key.split(".")[0] === field.key);
  return (
    <>
      <section class="card">
        <h2>{t("first")}</h2>
        {list("first")}
        <details open={open("training")}>
          <summary>{t("training")}</summary>
          {list("training")}
        </details>
      </section>
      <section class="card">
        <h2>{t("recipe", { name: form.name })}</h2>
        {list("recipe")}
      </section>
      <details class="card" open={open("data")}>
        <summary>{t("data")}</summary>
        {list("data")}
      </details>
    </>
  );
}

function Slotted({ form, field, values, wrong, runs, onChange }: FormProps & { field: FormField }) {
  const name = values[field.key] || field.default || "auto";
  const filling = field.kind === "slot" ? fillingOf(form, field, name) : undefined;
  const one = (each: FormField, key: string) => (
    <NewField
      key={key}
      field={each}
      name={key}
      value={values[key] ?? ""}
      wrong={wrong?.key === key ? wrong.text : null}
      runs={runs}
      onChange={(value) => onChange(key, value)}
    />
  );
  if (!filling || !filling.fields.length) return one(field, field.key);
  return (
    <fieldset class="slotted">
      <legend class="small soft">{t("slot", { name: field.key.replaceAll("_", " ") })}</legend>
      {one(field, field.key)}
      <p class="small soft">
        {filling.summary} {filling.paper}
      </p>
      <div class="fields">{filling.fields.map((each) => one(each, `${field.key}.${each.key}`))}</div>
    </fieldset>
  );
}
