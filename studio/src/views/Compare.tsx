// Runs held against one another on the same test examples.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { AsCode, Busy, Count, Download, Trouble, useFetched } from "../parts/basics";
import { href, route } from "../route";
import { get, post, url } from "../server";
import { words } from "../words";
import { CompareTable, type Group } from "./CompareTable";
import { useJob } from "./jobs";
import { boundOf, type JobInfo, type RunInfo, stateOf } from "./run_info";
import { going, JobLine } from "./RunsJobs";

const t = words(
  {
    title: "Compare",
    what: "Every run is measured on the same test examples, and differences are taken example by example, to the first run. What cannot be compared is held apart, with the reason.",
    choose: "Runs",
    none: "There are fewer than two runs that can be measured.",
    train: "Train a model",
    samples: "Importance samples",
    limit: "Examples at most",
    auto: "as many as take about a minute",
    every: "all",
    across: "Also put exact values, estimates and bounds into one column",
    start: "Compare {n} runs",
    few: "Choose two runs or more",
    figure: "values of each run and their paired differences",
    notes: "What the numbers mean",
  },
  {
    title: "비교",
    what: "모든 모델을 같은 평가 데이터로 재고, 첫 모델과의 차이를 데이터마다 짝지어 구합니다. 비교할 수 없는 것은 이유와 함께 따로 둡니다.",
    choose: "모델",
    none: "평가할 수 있는 모델이 두 개보다 적습니다.",
    train: "모델 학습하기",
    samples: "중요도 샘플 수",
    limit: "최대 데이터 수",
    auto: "약 1분이 걸리는 만큼",
    every: "전체",
    across: "정확한 값, 추정값, 하한을 한 열에 함께 표시",
    start: "모델 {n}개 비교",
    few: "모델을 두 개 이상 고르세요",
    figure: "모델별 값과 짝지은 차이",
    notes: "수치의 의미",
  },
);

interface Found {
  groups: Group[];
  notes: string[];
  files: string[];
  code: string;
  command: string;
}

/** The last comparison; it is still there when one comes back. */
const last = signal<string | null>(null);

export function Compare() {
  const asked = route.value.query.get("runs");
  const { value: runs, error } = useFetched(() => get<RunInfo[]>("runs"), []);
  const [chosen, setChosen] = useState<string[]>([]);
  const [samples, setSamples] = useState("");
  const [limit, setLimit] = useState("");
  const [across, setAcross] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const { job, result, error: failed, again } = useJob<Found>(last.value);
  useEffect(() => {
    if (asked) setChosen(asked.split(",").map(decodeURIComponent));
  }, [asked]);
  const fit = (runs ?? []).filter((run) => !["corrupt", "failed"].includes(stateOf(run)) && run.step > 0);
  const there = chosen.filter((id) => fit.some((run) => run.id === id));
  const busy = Boolean(job && going(job));
  const start = async () => {
    try {
      const body = { runs: there, samples: samples || null, limit: limit || null, across_kinds: across };
      last.value = (await post<JobInfo>("compare", body)).id;
      setWrong(null);
    } catch (found) {
      setWrong(found);
    }
  };
  return (
    <>
      <h1>{t("title")}</h1>
      <p class="soft">{t("what")}</p>
      <Trouble error={error} />
      {!runs && !error && <Busy />}
      {runs && fit.length < 2 && (
        <p>
          {t("none")}{" "}
          <a class="button" href={href("new")}>
            {t("train")}
          </a>
        </p>
      )}
      {fit.length >= 2 && (
        <div class="card">
          <fieldset class="chosen">
            <legend>{t("choose")}</legend>
            {fit.map((run) => (
              <label key={run.id}>
                <input
                  type="checkbox"
                  checked={there.includes(run.id)}
                  onChange={(event) =>
                    setChosen(event.currentTarget.checked ? [...there, run.id] : there.filter((id) => id !== run.id))
                  }
                />{" "}
                <span>
                  {run.name}{" "}
                  <span class="soft small">
                    {run.recipe} · {run.data} {boundOf(run) && `· ${boundOf(run)!.text}`}
                  </span>
                </span>
              </label>
            ))}
          </fieldset>
          <div class="row filters">
            <Count label={t("samples")} value={samples} otherwise={t("auto")} onInput={setSamples} />
            <Count label={t("limit")} value={limit} otherwise={t("every")} onInput={setLimit} />
            <label class="small">
              <input
                type="checkbox"
                checked={across}
                onChange={(event) => setAcross(event.currentTarget.checked)}
              />{" "}
              {t("across")}
            </label>
          </div>
          <button type="button" class="first" disabled={busy || there.length < 2} onClick={start}>
            {there.length < 2 ? t("few") : t("start", { n: there.length })}
          </button>
        </div>
      )}
      <Trouble error={wrong ?? failed} />
      {job && (busy || job.state === "failed") && <JobLine job={job} again={again} />}
      {result && last.value && <Result id={last.value} found={result} />}
    </>
  );
}
Compare.title = () => t("title");

function Result({ id, found }: { id: string; found: Found }) {
  return (
    <section>
      {found.groups.map((group) => (
        <CompareTable key={group.title} group={group} />
      ))}
      {found.files.includes("comparison.png") && (
        <img class="figure" src={url(`job/${id}/file/comparison.png`, { show: "yes" })} alt={t("figure")} />
      )}
      <h2>{t("notes")}</h2>
      {found.notes.map((note) => (
        <p key={note} class="small soft">
          {note}
        </p>
      ))}
      <div class="row">
        {found.files.map((name) => (
          <Download key={name} href={url(`job/${id}/file/${name}`)} name={name} />
        ))}
      </div>
      <pre tabIndex={0} class="command">
        {found.command}
      </pre>
      <AsCode code={found.code} />
    </section>
  );
}
