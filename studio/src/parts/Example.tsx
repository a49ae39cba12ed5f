// Choose an example: a held-out one, a file of one's own, or a draw from the prior.
import { useId, useState } from "preact/hooks";
import type { About, Datum, Encoded, Given, Latent, Ref } from "../latent";
import { words } from "../words";
import { givenOf } from "./Given";
import { Show } from "./Show";
import { Trouble, useFetched } from "./basics";

const t = words(
  {
    number: "Held-out example",
    of: "of {n}",
    before: "Previous example",
    after: "Next example",
    random: "Random",
    draw: "Draw from the prior",
    upload: "Upload …",
    drop: "or drop a file here",
    held: "held-out {n}",
    drawn: "draw {n}",
    code: "a code",
  },
  {
    number: "평가용 예제",
    of: "/ {n}",
    before: "이전 예제",
    after: "다음 예제",
    random: "무작위",
    draw: "사전분포에서 뽑기",
    upload: "파일 올리기 …",
    drop: "또는 여기에 파일을 놓으세요",
    held: "평가용 {n}번",
    drawn: "표본 {n}",
    code: "코드",
  },
);

const ACCEPTS: Record<About["kind"], string> = {
  image: ".png,.jpg,.jpeg,.webp,.bmp,.gif,.tif,.tiff,.npy",
  video: ".gif,.mp4,.npy",
  audio: ".wav,.flac,.npy",
  vector: ".csv,.npy",
  tokens: ".csv,.npy",
  sequence: ".npy",
};

/** Where a view begins. */
export function firstRef(about: About, number = 0): Ref {
  if (about.encodes && about.held_out) {
    return { kind: "held-out", number: numberAt(placeOf(number, about.numbers), about.held_out, about.numbers) };
  }
  return { kind: "prior", seed: number + 1 };
}

/** Draws are of codes, so the model has to decode them. */
export function drawsCodes(about: About): boolean {
  return about.samples && about.decodes;
}

export function nameOf(ref: Ref): string {
  switch (ref.kind) {
    case "held-out":
      return t("held", { n: ref.number });
    case "prior":
      return t("drawn", { n: ref.seed });
    case "upload":
      return ref.name;
    case "code":
      return t("code");
  }
}

/** The code of an example, anew when it changes. */
export function useEncoded(latent: Latent, ref: Ref, given: Given) {
  const asked = givenOf(ref, given);
  return useFetched<Encoded>(
    () => latent.encode(ref, asked),
    [latent, JSON.stringify(ref), JSON.stringify(asked)],
  );
}

interface ExampleProps {
  latent: Latent;
  label: string;
  value: Ref;
  onChange: (ref: Ref) => void;
  shown?: Datum | null | undefined;
  error?: unknown;
  size?: number;
}

export function Example({ latent, label, value, onChange, shown, error, size = 96 }: ExampleProps) {
  const [wrong, setWrong] = useState<unknown>(null);
  const [over, setOver] = useState(false);
  const { about } = latent;
  const uploads = latent.upload !== undefined && about.encodes;
  const choose = (ref: Ref) => {
    setWrong(null);
    onChange(ref);
  };
  const bring = async (file: File | undefined) => {
    if (!file) return;
    try {
      choose(await latent.upload!(file));
    } catch (found) {
      setWrong(found);
    }
  };
  return (
    <fieldset
      class={`example${over ? " over" : ""}`}
      onDragOver={(event) => {
        if (!uploads) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        if (!uploads) return;
        event.preventDefault();
        setOver(false);
        void bring(event.dataTransfer?.files[0]);
      }}
    >
      <legend class="small">
        {label} <span class="soft">· {nameOf(value)}</span>
      </legend>
      <div class="row">
        {shown && <Show datum={shown} size={size} label={nameOf(value)} />}
        <div class="choosing">
          {about.encodes && about.held_out > 0 && (
            <HeldOut count={about.held_out} numbers={about.numbers} value={value} onChange={choose} />
          )}
          <div class="row tight">
            {drawsCodes(about) && (
              <button type="button" onClick={() => choose({ kind: "prior", seed: anySeed() })}>
                {t("draw")}
              </button>
            )}
            {uploads && <Upload accept={ACCEPTS[about.kind]} onFile={(file) => void bring(file)} />}
            {uploads && <span class="soft small wide-only">{t("drop")}</span>}
          </div>
        </div>
      </div>
      <Trouble error={wrong ?? error} />
    </fieldset>
  );
}

/** Where the first of the numbers from this one on stands; all are there where none are told. */
function placeOf(number: number, numbers?: number[]): number {
  return numbers ? numbers.filter((each) => each < number).length : number;
}

function numberAt(place: number, count: number, numbers?: number[]): number {
  const inside = (place + count) % count;
  return numbers?.[inside] ?? inside;
}

interface Choice {
  count: number;
  /** See About. */
  numbers?: number[] | undefined;
  value: Ref;
  onChange: (ref: Ref) => void;
}

export function HeldOut({ count, numbers, value, onChange }: Choice) {
  const id = useId();
  const number = value.kind === "held-out" ? value.number : null;
  const place = number === null ? null : placeOf(number, numbers);
  const to = (next: number) => onChange({ kind: "held-out", number: numberAt(next, count, numbers) });
  return (
    <div class="row tight numbered">
      <button type="button" aria-label={t("before")} onClick={() => to((place ?? 1) - 1)}>
        ◀
      </button>
      <label for={id} class="hidden">
        {t("number")}
      </label>
      <input
        id={id}
        type="number"
        class="short"
        min={0}
        max={numberAt(count - 1, count, numbers)}
        value={number ?? ""}
        onChange={(event) => {
          const found = event.currentTarget.valueAsNumber;
          if (Number.isInteger(found) && found >= 0) to(Math.min(placeOf(found, numbers), count - 1));
        }}
      />
      <button type="button" aria-label={t("after")} onClick={() => to((place ?? -1) + 1)}>
        ▶
      </button>
      <button type="button" onClick={() => to(Math.floor(Math.random() * count))}>
        {t("random")}
      </button>
      <span class="soft small">{t("of", { n: count.toLocaleString() })}</span>
    </div>
  );
}

function Upload({ accept, onFile }: { accept: string; onFile: (file: File | undefined) => void }) {
  return (
    <label class="button">
      {t("upload")}
      <input
        type="file"
        class="hidden"
        accept={accept}
        onChange={(event) => {
          onFile(event.currentTarget.files?.[0]);
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
    </label>
  );
}

export function anySeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}
