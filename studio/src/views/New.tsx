// A new training: data, recipe, options; the command line that it stands for, and the start.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Busy, Field, Trouble, useFetched } from "../parts/basics";
import { go, route } from "../route";
import { get, post } from "../server";
import { words } from "../words";
import { useJob } from "./jobs";
import { NewData } from "./NewData";
import { NewForm } from "./NewForm";
import { NewRecipe } from "./NewRecipe";
import { type Choices, changed, type Form, flagOf, type Source, type Values } from "./new_form";
import type { JobInfo, RunInfo } from "./run_info";
import { JobLine } from "./RunsJobs";

const t = words(
  {
    title: "Train a model",
    command: "The command that this is",
    first: "Choose data to begin with.",
    copy: "Copy the command",
    copied: "Copied",
    name: "Name of the run",
    start: "Start training",
    starting: "Starting …",
    where: "It trains on this machine, in {home}. When the studio ends, the training saves and stops, and can be gone on with.",
    gone: "The form of {run} cannot be filled in: {why}",
  },
  {
    title: "모델 학습하기",
    command: "같은 일을 하는 명령",
    first: "먼저 데이터를 고르세요.",
    copy: "명령 복사",
    copied: "복사됨",
    name: "모델 이름",
    start: "학습 시작",
    starting: "시작하는 중 …",
    where: "이 컴퓨터의 {home}에서 학습합니다. 스튜디오를 끝내면 학습은 저장하고 멈추며, 나중에 이어서 할 수 있습니다.",
    gone: "{run}의 설정을 불러올 수 없습니다: {why}",
  },
);

interface Told {
  command: string | null;
  problem: string | null;
  out: string | null;
}

export function New() {
  const query = route.value.query;
  const { value: choices, error } = useFetched(() => get<Choices>("new"), []);
  const { value: runs } = useFetched(() => get<RunInfo[]>("runs"), []);
  const [source, setSource] = useState<Source | null>(null);
  const [recipe, setRecipe] = useState(query.get("recipe") ?? "vae");
  const [values, setValues] = useState<Values | null>(null);
  const [name, setName] = useState("");
  const [told, setTold] = useState<Told | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const [started, setStarted] = useState<string | null>(null);
  const { value: form, error: unformed } = useFetched(() => get<Form>(`form/${recipe}`), [recipe]);
  const { job, again } = useJob(started);

  const from = query.get("from");
  useEffect(() => {
    const set = [...query].filter(([key]) => key.startsWith("set.")).map(([key, value]) => [key.slice(4), value]);
    const asked: Values = Object.fromEntries(set);
    if (!from) {
      if (set.length) setValues((before) => ({ ...before, ...asked }));
      return;
    }
    get<{ recipe: string; source: string | null; values: Values }>(`run/${encodeURIComponent(from)}/again`).then(
      (found) => {
        setRecipe(query.get("recipe") ?? found.recipe);
        setValues(laid(found.values, asked));
        if (found.source) setSource({ kind: found.source.includes("/") ? "path" : "name", text: found.source });
      },
      setWrong,
    );
  }, [query.toString()]);
  useEffect(() => {
    if (form && values === null && !from) setValues(form.filled);
  }, [form, values]);

  const kept = useMemo(() => (form ? changed(form, values ?? {}) : {}), [form, values]);
  const body = { source, recipe, values: kept, name: name || null };
  const asked = JSON.stringify(body);
  useEffect(() => {
    setTold(null);
    if (!source || form?.name !== recipe) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      post<Told>("command", body, stop.signal).then(setTold, (found: unknown) => stop.signal.aborted || setWrong(found));
    }, 200);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [asked, form]);
  useEffect(() => {
    // The folder is there: training goes on on its own page.
    if (job?.run) go("run", job.run);
  }, [job?.run]);

  if (error) return <Trouble error={error} />;
  if (!choices) return <Busy />;
  const reading = Object.fromEntries(Object.entries(kept).filter(([key]) => readsData(form, key)));
  const flag = /--(?:no-)?([a-z0-9.-]+)/.exec(told?.problem ?? "")?.[1];
  const at = flag && form ? Object.keys(kept).find((key) => flagOf(key) === `--${flag}`) : undefined;
  const start = async () => {
    try {
      setStarted((await post<JobInfo>("train", body)).id);
      setWrong(null);
    } catch (found) {
      setWrong(found);
    }
  };
  const busy = job?.state === "running" && !job.run;
  return (
    <>
      <h1>{t("title")}</h1>
      <div class="new">
        <div class="stack">
          <NewData choices={choices} source={source} values={reading} onSource={setSource} />
          <NewRecipe recipes={choices.recipes} chosen={recipe} onChoose={setRecipe} />
        </div>
        <div class="stack">
          <Trouble error={unformed} />
          {!form && !unformed && <Busy />}
          {form && (
            <NewForm
              form={form}
              values={values ?? {}}
              wrong={at && told?.problem ? { key: at, text: told.problem } : null}
              runs={(runs ?? []).map((run) => run.path)}
              onChange={(key, value) => setValues((before) => ({ ...before, [key]: value }))}
            />
          )}
        </div>
        <section class="card start" aria-label={t("start")}>
          {told?.command && (
            <pre tabIndex={0} class="command" aria-label={t("command")}>
              {told.command}
            </pre>
          )}
          {told?.problem && <Trouble error={told.problem} />}
          {!source && <p class="soft">{t("first")}</p>}
          <div class="row bottom">
            <Field label={t("name")}>
              <input
                type="text"
                value={name}
                spellcheck={false}
                placeholder={told?.out?.split("/").pop() ?? ""}
                onInput={(event) => setName(event.currentTarget.value.trim())}
              />
            </Field>
            <button type="button" class="first" disabled={!told?.command || busy} onClick={start}>
              {t(busy ? "starting" : "start")}
            </button>
            {told?.command && <Copy text={told.command} />}
            <p class="small soft">{t("where", { home: choices.home })}</p>
          </div>
          <Trouble error={wrong} />
          {job && !job.run && <JobLine job={job} again={again} />}
        </section>
      </div>
    </>
  );
}
New.title = () => t("title");

/** Of the lengths of a training the least would count: what is asked for takes their place. */
function laid(values: Values, asked: Values): Values {
  const lengths = ["epochs", "steps", "minutes"];
  const kept = lengths.some((key) => key in asked)
    ? Object.fromEntries(Object.entries(values).filter(([key]) => !lengths.includes(key)))
    : values;
  return { ...kept, ...asked };
}

/** Whether an option says how data are read, so that they are looked at anew. */
function readsData(form: Form | undefined, key: string): boolean {
  const data = form?.groups.find((group) => group.id === "data")?.fields ?? [];
  return data.some((field) => field.key === key) || key.split(".")[0] === "likelihood";
}

function Copy({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      onClick={async () => {
        await navigator.clipboard.writeText(text);
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      }}
    >
      {t(copied ? "copied" : "copy")}
    </button>
  );
}
