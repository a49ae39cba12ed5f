// The runs that there are.
import { useMemo, useState } from "preact/hooks";
import { Busy, Choice, Field, Trouble } from "../parts/basics";
import { usePolled } from "../parts/polled";
import { href } from "../route";
import { get } from "../server";
import { words } from "../words";
import { type JobInfo, type RunInfo, STATES, type State, stateOf, stateWords } from "./run_info";
import { RunsCard } from "./RunsCard";
import { RunsJobs } from "./RunsJobs";

const t = words(
  {
    title: "Runs",
    none: "There is no run in {home} yet.",
    first: "Train one here, or with the command line; it shows up by itself:",
    train: "Train a model",
    filter: "Filter",
    name: "Name, recipe or data",
    state: "State",
    all: "all",
    sort: "Sort by",
    newest: "newest first",
    bound: "best log p(x)",
    byName: "name",
    unfit: "No run fits the filter.",
    clear: "Show all",
    compare: "Compare {n} runs",
    apart: "log p(x) of different data does not compare.",
  },
  {
    title: "학습 목록",
    none: "{home}에 아직 학습한 모델이 없습니다.",
    first: "여기서 학습을 시작하거나 명령줄에서 학습하세요. 목록에 저절로 나타납니다:",
    train: "모델 학습하기",
    filter: "찾기",
    name: "이름, 레시피 또는 데이터",
    state: "상태",
    all: "전체",
    sort: "정렬",
    newest: "최신순",
    bound: "log p(x) 높은 순",
    byName: "이름순",
    unfit: "조건에 맞는 모델이 없습니다.",
    clear: "모두 보기",
    compare: "모델 {n}개 비교",
    apart: "서로 다른 데이터의 log p(x)는 비교할 수 없습니다.",
  },
);

type Order = "newest" | "bound" | "byName";
const FAST = 1.5;
const SLOW = 3;

interface Listed {
  runs: RunInfo[];
  jobs: JobInfo[];
  home: string;
}

async function listed(): Promise<Listed> {
  const [runs, work] = await Promise.all([
    get<RunInfo[]>("runs"),
    get<{ home: string; jobs: JobInfo[] }>("jobs"),
  ]);
  return { runs, ...work };
}

/** More often while something goes on. */
function pace(found: Listed | undefined): number {
  const busy = found?.runs.some((run) => run.active || run.job) || found?.jobs.some((job) => job.state === "running");
  return busy ? FAST : SLOW;
}

export function Runs() {
  const { value, error, again } = usePolled(listed, pace, []);
  const [text, setText] = useState("");
  const [state, setState] = useState<State | "all">("all");
  const [order, setOrder] = useState<Order>("newest");
  const [chosen, setChosen] = useState<string[]>([]);
  const shown = useMemo(() => select(value?.runs ?? [], text, state, order), [value, text, state, order]);
  const there = chosen.filter((id) => value?.runs.some((run) => run.id === id));
  return (
    <>
      <div class="row spread">
        <h1>{t("title")}</h1>
        <div class="row">
          {there.length > 1 && (
            <a class="button" href={`${href("compare")}?runs=${there.map(encodeURIComponent).join(",")}`}>
              {t("compare", { n: there.length })}
            </a>
          )}
          <a class="button first" href={href("new")}>
            {t("train")}
          </a>
        </div>
      </div>
      <Trouble error={error} />
      {!value && !error && <Busy />}
      {value && <RunsJobs jobs={value.jobs} again={again} />}
      {value && value.runs.length > 0 && (
        <div class="row filters">
          <Field label={t("filter")}>
            <input
              type="search"
              value={text}
              placeholder={t("name")}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </Field>
          <Choice
            label={t("state")}
            value={state}
            choices={[["all", t("all")], ...STATES.map((each) => [each, stateWords(each)] as const)]}
            onChange={setState}
          />
          <Choice
            label={t("sort")}
            value={order}
            choices={(["newest", "bound", "byName"] as const).map((each) => [each, t(each)] as const)}
            onChange={setOrder}
          />
          {order === "bound" && <p class="soft small">{t("apart")}</p>}
        </div>
      )}
      {value?.runs.length === 0 && <Empty home={value.home} />}
      {value && value.runs.length > 0 && shown.length === 0 && (
        <p>
          {t("unfit")}{" "}
          <button type="button" onClick={() => (setText(""), setState("all"))}>
            {t("clear")}
          </button>
        </p>
      )}
      <ul class="runs">
        {shown.map((run) => (
          <RunsCard
            key={run.id}
            run={run}
            chosen={there.includes(run.id)}
            onChoose={(on) => setChosen(on ? [...there, run.id] : there.filter((id) => id !== run.id))}
          />
        ))}
      </ul>
    </>
  );
}
Runs.title = () => t("title");

function Empty({ home }: { home: string }) {
  return (
    <section class="card empty">
      <p>{t("none", { home })}</p>
      <p>{t("first")}</p>
      <pre tabIndex={0}>lowerbound train digits --recipe vae --latent-dim 2</pre>
      <p>
        <a class="button first" href={href("new")}>
          {t("train")}
        </a>
      </p>
    </section>
  );
}

function select(runs: RunInfo[], text: string, state: State | "all", order: Order): RunInfo[] {
  const wanted = text.trim().toLowerCase().split(/\s+/);
  const found = runs.filter((run) => {
    const told = `${run.name} ${run.recipe} ${run.data} ${run.kind}`.toLowerCase();
    return wanted.every((word) => told.includes(word)) && (state === "all" || stateOf(run) === state);
  });
  if (order === "byName") found.sort((a, b) => a.name.localeCompare(b.name));
  if (order === "bound") found.sort((a, b) => (b.bound?.value ?? -Infinity) - (a.bound?.value ?? -Infinity));
  return found;
}
