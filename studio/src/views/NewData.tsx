// Which data: a name, a path on this machine, or a file; looked at before anything is trained.
import { useEffect, useState } from "preact/hooks";
import { Busy, Field, Trouble } from "../parts/basics";
import { Show } from "../parts/Show";
import type { Datum } from "../latent";
import { post, upload } from "../server";
import { words } from "../words";
import type { Choices, Source, Values } from "./new_form";

const t = words(
  {
    title: "Data",
    name: "A named set",
    path: "A path on this machine",
    upload: "A file",
    here: "small, built in",
    made: "drawn by the computer",
    fetched: "on this machine",
    away: "to be fetched first, with `lowerbound inspect NAME`",
    typed: "A .npy, .npz or .csv file, or a folder or zip of images or sound",
    look: "Look at it",
    file: "Choose a file (.npy, .csv, .wav, .png, …)",
    brings: "Bringing the file …",
    looking: "Looking at the data …",
    examples: "Examples",
    found: "What was found",
    fits: "What fits, and why",
  },
  {
    title: "데이터",
    name: "이름 있는 데이터",
    path: "이 컴퓨터의 경로",
    upload: "파일",
    here: "작은 내장 데이터",
    made: "컴퓨터가 그리는 데이터",
    fetched: "이 컴퓨터에 있음",
    away: "먼저 `lowerbound inspect 이름`으로 받아야 함",
    typed: ".npy, .npz, .csv 파일 또는 이미지·소리 폴더나 zip",
    look: "살펴보기",
    file: "파일 선택 (.npy, .csv, .wav, .png …)",
    brings: "파일을 가져오는 중 …",
    looking: "데이터를 살펴보는 중 …",
    examples: "예시",
    found: "확인한 내용",
    fits: "어울리는 설정과 이유",
  },
);

export interface Inspection {
  name: string;
  kind: string;
  shape: number[];
  facts: [string, string][];
  suggested: [string, string][];
  examples: Datum[];
  labels: boolean;
  attributes: boolean;
  captions: boolean;
}

interface DataProps {
  choices: Choices;
  source: Source | null;
  /** Of the options those that say how data are read. */
  values: Values;
  onSource: (source: Source | null) => void;
}

const GROUPS = ["here", "made", "fetched"] as const;

export function NewData({ choices, source, values, onSource }: DataProps) {
  const [kind, setKind] = useState<Source["kind"]>(source?.kind ?? "name");
  const [typed, setTyped] = useState(source?.kind === "path" ? source.text : "");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    if (!source) return;
    setKind(source.kind);
    if (source.kind === "path") setTyped(source.text);
  }, [source]);
  const bring = async (file: File | undefined) => {
    if (!file) return;
    setBusy(true);
    setError(null);
    try {
      onSource({ kind: "upload", ...(await upload(file)) });
    } catch (found) {
      setError(found);
    }
    setBusy(false);
  };
  return (
    <section class="card">
      <h2>{t("title")}</h2>
      <div class="row" role="radiogroup" aria-label={t("title")}>
        {(["name", "path", "upload"] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="source" checked={kind === each} onChange={() => setKind(each)} /> {t(each)}
          </label>
        ))}
      </div>
      {kind === "name" && (
        <Field label={t("name")}>
          <select
            value={source?.kind === "name" ? source.text : ""}
            onChange={(event) => onSource({ kind: "name", text: event.currentTarget.value })}
          >
            <option value="" disabled />
            {GROUPS.map((group) => (
              <optgroup key={group} label={t(group)}>
                {choices.data[group].map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </optgroup>
            ))}
            <optgroup label={t("away")}>
              {choices.data.away.map((name) => (
                <option key={name} disabled>
                  {name}
                </option>
              ))}
            </optgroup>
          </select>
        </Field>
      )}
      {kind === "path" && (
        <form
          class="row bottom"
          onSubmit={(event) => {
            event.preventDefault();
            onSource(typed.trim() ? { kind: "path", text: typed.trim() } : null);
          }}
        >
          <Field label={t("typed")}>
            <input
              type="text"
              class="wide"
              value={typed}
              spellcheck={false}
              placeholder="/home/me/faces.zip"
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </Field>
          <button type="submit">{t("look")}</button>
        </form>
      )}
      {kind === "upload" && (
        <Field label={t("file")}>
          <input
            type="file"
            accept=".npy,.npz,.zip,.csv,.txt,.wav,.flac,.png,.jpg,.jpeg,.gif,.webp"
            onChange={(event) => void bring(event.currentTarget.files?.[0])}
          />
        </Field>
      )}
      {busy && <Busy>{t("brings")}</Busy>}
      <Trouble error={error} />
      {source && source.kind === kind && <Looked source={source} values={values} />}
    </section>
  );
}

function Looked({ source, values }: { source: Source; values: Values }) {
  const [found, setFound] = useState<{ value?: Inspection; error?: unknown }>({});
  const asked = JSON.stringify([source, values]);
  useEffect(() => {
    const stop = new AbortController();
    setFound({});
    const timer = setTimeout(() => {
      post<Inspection>("inspect", { source, values }, stop.signal).then(
        (value) => setFound({ value }),
        (error: unknown) => stop.signal.aborted || setFound({ error }),
      );
    }, 300);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [asked]);
  const { value, error } = found;
  if (error) return <Trouble error={error} />;
  if (!value) return <Busy>{t("looking")}</Busy>;
  return (
    <div class="inspected">
      <h3>{t("examples")}</h3>
      <div class="examples">
        {value.examples.map((datum, place) => (
          <Show key={place} datum={datum} size={72} />
        ))}
      </div>
      {(["found", "fits"] as const).map((part) => (
        <div key={part}>
          <h3>{t(part)}</h3>
          <dl class="facts small">
            {(part === "found" ? value.facts : value.suggested).map(([name, text]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{text}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </div>
  );
}
