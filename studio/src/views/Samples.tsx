// New data, drawn from the model.
import { useState } from "preact/hooks";
import type { Given, Latent } from "../latent";
import { Files } from "../parts/Files";
import { GivenFields } from "../parts/Given";
import { Show } from "../parts/Show";
import { Busy, Choice, Field, Trouble, useFetched } from "../parts/basics";
import { useKept } from "../parts/kept";
import { words } from "../words";

const t = words(
  {
    title: "Samples",
    many: "How many",
    seed: "Seed",
    next: "Draw others",
    text: "Text",
    example: "a picture of …",
    draw: "Draw",
    sample: "sample {n}",
    slow: "Drawing; models that draw number by number take a while …",
  },
  {
    title: "표본",
    many: "개수",
    seed: "시드",
    next: "다시 뽑기",
    text: "문장",
    example: "그림을 설명하는 영어 문장",
    draw: "그리기",
    sample: "표본 {n}",
    slow: "표본을 뽑는 중입니다. 숫자를 하나씩 뽑는 모델은 오래 걸립니다 …",
  },
);

const COUNTS = ["4", "16", "36", "64"] as const;
/** Of kinds that take room. */
const FEW = { audio: "4", sequence: "4" } as Record<string, (typeof COUNTS)[number]>;

export function Samples({ latent }: { latent: Latent }) {
  const { about } = latent;
  const [count, setCount] = useState<(typeof COUNTS)[number]>(FEW[about.kind] ?? "16");
  const [seed, setSeed] = useState(0);
  const [given, setGiven] = useState<Given>(null);
  const [text, setText] = useState<string | null>(null);
  const asked = { n: Number(count), seed, given, text };
  const found = useFetched(() => latent.sample!(asked), [latent, JSON.stringify(asked)]);
  const { error } = found;
  const value = useKept(found.value);
  const size = Math.max(64, Math.min(160, 4 * (about.event_shape.at(-1) ?? 32)));
  return (
    <section class="stack">
      <div class="row bottom">
        <Choice
          label={t("many")}
          value={count}
          choices={COUNTS.map((each) => [each, each] as const)}
          onChange={setCount}
        />
        <Field label={t("seed")}>
          <input
            type="number"
            class="short"
            min={0}
            value={seed}
            onChange={(event) => setSeed(Math.max(0, Math.trunc(event.currentTarget.valueAsNumber || 0)))}
          />
        </Field>
        <button type="button" class="first" onClick={() => setSeed(seed + 1)}>
          {t("next")}
        </button>
      </div>
      {about.text && <Sentence onText={setText} />}
      <GivenFields about={about} value={given} onChange={setGiven} any />
      <Trouble error={error} />
      {!found.value && !error && <Busy>{t("slow")}</Busy>}
      {value?.notes.map((note) => (
        <p key={note} class="note small" role="status">
          {note}
        </p>
      ))}
      {value && (
        <div class="samples">
          {value.data.map((datum, place) => (
            <Show key={place} datum={datum} size={size} label={t("sample", { n: place + 1 })} />
          ))}
        </div>
      )}
      <Files latent={latent} asked={found.value ? { what: "sample", ...asked } : null} name="samples" />
    </section>
  );
}
Samples.title = () => t("title");

function Sentence({ onText }: { onText: (text: string | null) => void }) {
  const [typed, setTyped] = useState("");
  return (
    <form
      class="row bottom"
      onSubmit={(event) => {
        event.preventDefault();
        onText(typed.trim() || null);
      }}
    >
      <Field label={t("text")}>
        <input
          class="long"
          value={typed}
          placeholder={t("example")}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </Field>
      <button type="submit">{t("draw")}</button>
    </form>
  );
}
