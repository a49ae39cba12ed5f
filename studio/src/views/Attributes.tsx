// Sliders for what the data are labelled by: a smile, glasses; on an example or a file.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Datum, Directions, Edited, Given, Latent, Ref } from "../latent";
import { Example, firstRef, useEncoded } from "../parts/Example";
import { DownloadDatum, Files } from "../parts/Files";
import { GivenFields, firstGiven, givenOf } from "../parts/Given";
import { Show } from "../parts/Show";
import { Busy, Slider, Trouble, useFetched } from "../parts/basics";
import { useKept, useSettled } from "../parts/kept";
import { latest } from "../server";
import { words } from "../words";

const t = words(
  {
    title: "Attributes",
    why: "One step is how much examples with the attribute differ from those without it.",
    start: "Edit",
    original: "as it came",
    reconstruction: "as the model has it",
    edited: "edited",
    own: "at its own size",
    reset: "Reset",
    fitting: "Looking for directions of the attributes …",
    vague: "vague",
    vagueWhy: "Codes hardly tell these from the examples without them; moving them shows little.",
    amount: "{steps} ({logits} logits)",
  },
  {
    title: "속성",
    why: "한 단계는 그 속성이 있는 예제와 없는 예제의 평균 차이입니다.",
    start: "편집할 예제",
    original: "원본",
    reconstruction: "모델의 재구성",
    edited: "편집 결과",
    own: "원래 크기",
    reset: "되돌리기",
    fitting: "속성의 방향을 찾는 중입니다 …",
    vague: "불분명",
    vagueWhy: "코드로는 이 속성이 있는지 거의 알 수 없어, 움직여도 잘 드러나지 않습니다.",
    amount: "{steps} ({logits} 로짓)",
  },
);

const FAR = 1.5; // steps

export function Attributes({ latent }: { latent: Latent }) {
  const { value: directions, error } = useFetched(() => latent.directions(), [latent]);
  if (error) return <Trouble error={error} />;
  if (!directions) return <Busy>{t("fitting")}</Busy>;
  return <Edit latent={latent} directions={directions} />;
}
Attributes.title = () => t("title");

function Edit({ latent, directions }: { latent: Latent; directions: Directions }) {
  const { about } = latent;
  const [ref, setRef] = useState<Ref>(() => firstRef(about));
  const [given, setGiven] = useState<Given>(() => firstGiven(about));
  const [steps, setSteps] = useState<number[]>(() => directions.names.map(() => 0));
  const [edited, setEdited] = useState<Datum | null>(null);
  const [error, setError] = useState<unknown>(null);
  const found = useEncoded(latent, ref, given);
  const start = useKept(found.value);
  const beside = start?.given ?? givenOf(ref, given) ?? given;
  const decode = useMemo(
    () =>
      latest(
        ([codes, own]: [number[][], Given]) => latent.decode(codes, own),
        ([datum]) => {
          setEdited(datum ?? null);
          setError(null);
        },
        setError,
      ),
    [latent],
  );
  useEffect(() => {
    if (start) decode([[moved(start.code, directions, steps)], beside]);
  }, [start, steps]);

  const changes = logitsOf(directions, steps);
  const asked = { ref, changes, given: givenOf(ref, given) };
  const whole = useWhole(latent, useSettled(asked));
  const any = Object.keys(changes).length > 0;
  // Of a draw there is no picture to put the change into: its code, changed, is all.
  const datum = ref.kind === "held-out" || ref.kind === "upload";
  const drawn = { codes: start ? [moved(start.code, directions, steps)] : [], columns: 1, given: beside };
  const vague = directions.names.map((_, place) => place).filter((place) => directions.vague[place]);
  const clear = directions.names.map((_, place) => place).filter((place) => !directions.vague[place]);
  const set = (place: number, value: number) => setSteps(steps.with(place, value));
  return (
    <section class="stack">
      <Example
        latent={latent}
        label={t("start")}
        value={ref}
        onChange={setRef}
        error={found.error}
      />
      <GivenFields about={about} value={given} onChange={setGiven} />
      <div class="compared">
        <Labelled datum={start?.original} label={t("original")} />
        <Labelled datum={start?.reconstruction} label={t("reconstruction")} />
        <Labelled datum={edited} label={t("edited")} />
        {any && whole.value?.image && (
          <Labelled datum={whole.value.image} label={t("own")} size={ownSize(whole.value.image)} />
        )}
      </div>
      <Trouble error={error ?? whole.error} />
      <div class="row">
        <span class="soft small">{t("why")}</span>
        <button type="button" disabled={!any} onClick={() => setSteps(steps.map(() => 0))}>
          {t("reset")}
        </button>
      </div>
      <div class="attributes">
        {clear.map((place) => (
          <Step key={place} directions={directions} place={place} value={steps[place]!} onInput={set} />
        ))}
      </div>
      {vague.length > 0 && (
        <details open={clear.length === 0}>
          <summary>
            {t("vague")} ({vague.length})
          </summary>
          <p class="soft small">{t("vagueWhy")}</p>
          <div class="attributes">
            {vague.map((place) => (
              <Step key={place} directions={directions} place={place} value={steps[place]!} onInput={set} />
            ))}
          </div>
        </details>
      )}
      {latent.file ? (
        <Files latent={latent} asked={any && start ? (datum ? { what: "edit", ...asked } : { what: "codes", ...drawn }) : null} name="edited" />
      ) : (
        any && edited && <DownloadDatum datum={edited} name="edited" />
      )}
    </section>
  );
}

interface StepProps {
  directions: Directions;
  place: number;
  value: number;
  onInput: (place: number, value: number) => void;
}

function Step({ directions, place, value, onInput }: StepProps) {
  const logits = value * (directions.natural[place] ?? 0);
  return (
    <Slider
      label={directions.names[place]!}
      value={value}
      low={-FAR}
      high={FAR}
      step={0.05}
      shown={t("amount", { steps: signed(value, 2), logits: signed(logits, 1) })}
      onInput={(found) => onInput(place, found)}
    />
  );
}

function Labelled({ datum, label, size = 160 }: { datum: Datum | null | undefined; label: string; size?: number }) {
  if (!datum) return null;
  return (
    <figure class="labelled">
      <Show datum={datum} size={size} label={label} />
      <figcaption class="small soft">{label}</figcaption>
    </figure>
  );
}

/** The picture at its own size comes after the finger has stopped. */
function useWhole(latent: Latent, asked: { ref: Ref; changes: Record<string, number>; given: Given }) {
  const changes = Object.keys(asked.changes).length > 0;
  // A code has no picture that it came from.
  const whole = latent.edit !== undefined && changes && asked.ref.kind !== "prior" && asked.ref.kind !== "code";
  return useFetched<Edited | null>(
    () => (whole ? latent.edit!(asked) : Promise.resolve(null)),
    [latent, JSON.stringify(asked)],
  );
}

function logitsOf(directions: Directions, steps: number[]): Record<string, number> {
  const found: Record<string, number> = {};
  steps.forEach((step, place) => {
    const name = directions.names[place];
    if (step && name) found[name] = step * (directions.natural[place] ?? 0);
  });
  return found;
}

/** Each vector moves its own logit by 1. */
export function moved(code: number[], directions: Directions, steps: number[]): number[] {
  return code.map((value, d) =>
    steps.reduce(
      (sum, step, place) =>
        step ? sum + step * (directions.natural[place] ?? 0) * (directions.vectors[place]?.[d] ?? 0) : sum,
      value,
    ),
  );
}

/** Of a photograph as large as there is room, of a small picture as large as the others. */
function ownSize(datum: Datum): number {
  return datum.kind === "image" ? Math.max(160, Math.min(360, Math.max(datum.width, datum.height))) : 160;
}

function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}
