// What can be chosen: the density, the model, and its numbers.
import { Choice, Field, Slider } from "../parts/basics";
import { painted } from "../theme";
import { dataColour } from "./colours";
import { t, type Word } from "./labels";
import { Plane } from "./Plane";
import { type Choices, type LabAbout, type Model, unpack } from "./types";

interface SettingsProps {
  about: LabAbout;
  choices: Choices;
  onChange: (changed: Partial<Choices>) => void;
}

const MODELS: Model[] = ["vae", "flow", "gan", "aae", "gmm", "iwae", "ae"];

export function Densities({ about, choices, onChange }: SettingsProps) {
  painted.value;
  return (
    <fieldset class="densities">
      <legend class="hidden">{t("density")}</legend>
      {Object.entries(about.densities).map(([name, points]) => (
        <button
          key={name}
          type="button"
          aria-pressed={choices.density === name}
          onClick={() => onChange({ density: name })}
        >
          <Plane
            id={`toy-${name}`}
            label=""
            reach={3.1}
            on={[name]}
            paint={(paint) => {
              paint.clear();
              paint.points(unpack(points), 1.4, [dataColour()], 0.8);
            }}
          />
          <span>{t(name as Word)}</span>
        </button>
      ))}
      <button
        type="button"
        aria-pressed={choices.density === "drawn"}
        onClick={() => onChange({ density: "drawn" })}
      >
        <span class="pencil" aria-hidden="true">
          ✎
        </span>
        <span>{t("drawn")}</span>
      </button>
    </fieldset>
  );
}

export function Models({ choices, onChange }: SettingsProps) {
  return (
    <Choice
      label={t("model")}
      value={choices.model}
      choices={MODELS.map((name) => [name, t(name)] as const)}
      onChange={(model) => onChange({ model })}
    />
  );
}

/** Steps of a slider whose ends are far apart. */
const TENS = { low: -4, high: -1 };

export function Numbers({ about, choices, onChange }: SettingsProps) {
  const has = (name: keyof Choices) => about.models[choices.model].controls.includes(name);
  const couplings = choices.model === "flow";
  return (
    <div class="numbers-of">
      {has("learning_rate") && (
        <Slider
          label={t("learning_rate")}
          value={Math.log10(choices.learning_rate)}
          {...TENS}
          step={0.05}
          shown={choices.learning_rate.toPrecision(2)}
          onInput={(tens) => onChange({ learning_rate: Number((10 ** tens).toPrecision(3)) })}
        />
      )}
      {has("beta") && (
        <Slider
          label={t("beta")}
          value={Math.sqrt(choices.beta)}
          low={0}
          high={5}
          step={0.05}
          shown={choices.beta.toPrecision(2)}
          onInput={(root) => onChange({ beta: Number((root * root).toPrecision(3)) })}
        />
      )}
      {has("rate") && (
        <Slider
          label={t(choices.model === "gan" ? "discriminator_rate" : "critic_rate")}
          value={Math.log10(Math.max(0.05, choices.rate))}
          low={-1}
          high={1.5}
          step={0.05}
          shown={choices.rate.toPrecision(2)}
          onInput={(tens) => onChange({ rate: Number((10 ** tens).toPrecision(2)) })}
        />
      )}
      {has("repeats") && <Whole name="repeats" low={1} high={10} {...{ choices, onChange }} />}
      <p class="small soft">{t("rebuild")}</p>
      <Slider
        label={t("points")}
        value={Math.log10(choices.points)}
        low={Math.log10(20)}
        high={Math.log10(8000)}
        step={0.02}
        shown={String(choices.points)}
        onInput={(tens) => onChange({ points: nice(10 ** tens) })}
      />
      {has("latent") && <Whole name="latent" low={1} high={8} {...{ choices, onChange }} />}
      {has("sigma") && (
        <div class="row bottom">
          <Choice
            label={t("sigma")}
            value={choices.sigma ? "fixed" : "learned"}
            choices={[
              ["learned", t("learned")],
              ["fixed", t("fixed")],
            ]}
            onChange={(how) => onChange({ sigma: how === "fixed" ? 0.1 : 0 })}
          />
          {choices.sigma > 0 && (
            <div class="grow">
              <Slider label="σ" value={choices.sigma} low={0.02} high={1} step={0.01} onInput={(sigma) => onChange({ sigma })} />
            </div>
          )}
        </div>
      )}
      {has("loss") && (
        <Choice
          label={t("loss")}
          value={choices.loss}
          choices={about.losses.map((name) => [name, name] as const)}
          onChange={(loss) => onChange({ loss })}
        />
      )}
      {has("samples") && <Whole name="samples" low={1} high={100} {...{ choices, onChange }} />}
      {has("components") && (
        <Whole name="components" label={t(couplings ? "couplings" : "components")} low={1} high={couplings ? 12 : 48} {...{ choices, onChange }} />
      )}
      {has("width") && <Whole name="width" low={2} high={128} {...{ choices, onChange }} />}
      {has("layers") && <Whole name="layers" low={1} high={4} {...{ choices, onChange }} />}
      {has("batch") && <Whole name="batch" low={8} high={512} step={8} {...{ choices, onChange }} />}
      <Field label={t("seed")}>
        <input
          type="number"
          min={0}
          max={99999}
          value={choices.seed}
          onChange={(event) => onChange({ seed: Math.max(0, Math.round(event.currentTarget.valueAsNumber) || 0) })}
        />
      </Field>
    </div>
  );
}

interface WholeProps {
  name: "latent" | "samples" | "components" | "width" | "layers" | "batch" | "repeats";
  label?: string;
  low: number;
  high: number;
  step?: number;
  choices: Choices;
  onChange: (changed: Partial<Choices>) => void;
}

function Whole({ name, label, low, high, step = 1, choices, onChange }: WholeProps) {
  return (
    <Slider
      label={label ?? t(name)}
      value={choices[name]}
      low={low}
      high={high}
      step={step}
      shown={String(choices[name])}
      onInput={(value) => onChange({ [name]: value })}
    />
  );
}

/** With two figures. */
function nice(value: number): number {
  return Number(value.toPrecision(2));
}
