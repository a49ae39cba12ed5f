// What can be done with a run: stop, go on, measure, train another like it, take it away.
import { useState } from "preact/hooks";
import { Count, Trouble } from "../parts/basics";
import { go, href } from "../route";
import { post, url } from "../server";
import { words } from "../words";
import type { RunInfo } from "./run_info";
import { going, JobLine } from "./RunsJobs";

const t = words(
  {
    stop: "Stop training",
    stopping: "Saving …",
    halt: "Stop",
    elsewhere: "It was started elsewhere: stop it there with Ctrl-C; it saves first.",
    resume: "Go on training",
    evaluate: "Evaluate",
    options: "How it is measured",
    samples: "Importance samples",
    limit: "Examples at most",
    auto: "as many as take about a minute",
    every: "all",
    again: "Train another like it",
    report: "Open the report",
    save: "Download the report",
    remove: "Delete …",
    sure: "Take {name} out of the list? Its folder is moved to .deleted beside the others, not erased.",
    yes: "Delete {name}",
    no: "Keep it",
  },
  {
    stop: "학습 중단",
    stopping: "저장하는 중 …",
    halt: "중단",
    elsewhere: "다른 곳에서 시작한 학습입니다. 그곳에서 Ctrl-C를 누르면 저장하고 멈춥니다.",
    resume: "이어서 학습",
    evaluate: "평가하기",
    options: "평가 방법",
    samples: "중요도 샘플 수",
    limit: "최대 데이터 수",
    auto: "약 1분이 걸리는 만큼",
    every: "전체",
    again: "비슷한 모델 학습하기",
    report: "보고서 열기",
    save: "보고서 내려받기",
    remove: "삭제 …",
    sure: "{name}을(를) 목록에서 뺄까요? 폴더는 지우지 않고 옆의 .deleted로 옮깁니다.",
    yes: "{name} 삭제",
    no: "그대로 두기",
  },
);

interface ActionsProps {
  run: RunInfo;
  /** Whether its recipe is one of lowerbound's own; no other code is run from here. */
  known: boolean;
  again: () => void;
}

export function OverviewActions({ run, known, again }: ActionsProps) {
  const [error, setError] = useState<unknown>(null);
  const [asking, setAsking] = useState(false);
  const [samples, setSamples] = useState("");
  const [limit, setLimit] = useState("");
  const at = `run/${encodeURIComponent(run.id)}`;
  const act = async (path: string, body: unknown) => {
    try {
      await post(path, body);
      setError(null);
    } catch (found) {
      setError(found);
    }
    again();
  };
  const job = run.job;
  const trains = job?.kind === "train" || job?.kind === "resume";
  const measured = { samples: samples || null, limit: limit || null };
  return (
    <section class="actions">
      <div class="row">
        {job && trains && (
          <button type="button" class="first" onClick={() => act(`job/${job.id}/stop`, {})}>
            {t(job.state === "stopping" ? "stopping" : run.active ? "stop" : "halt")}
          </button>
        )}
        {run.active && !job && <p class="soft small">{t("elsewhere")}</p>}
        {known && run.resumable && !job && (
          <button type="button" class="first" onClick={() => act(`${at}/resume`, {})}>
            {t("resume")}
          </button>
        )}
        {known && !run.active && !job && run.state !== "corrupt" && (
          <button type="button" onClick={() => act(`${at}/evaluate`, measured)}>
            {t("evaluate")}
          </button>
        )}
        {known && (
          <a class="button" href={`${href("new")}?from=${encodeURIComponent(run.id)}`}>
            {t("again")}
          </a>
        )}
        {run.report && (
          <>
            <a class="button" href={url(`${at}/report`)} target="_blank" rel="noopener">
              {t("report")}
            </a>
            <a class="button" href={url(`${at}/report`, { download: "yes" })} download={`${run.name}.html`}>
              {t("save")}
            </a>
          </>
        )}
        {!run.active && !job && (
          <button type="button" aria-expanded={asking} onClick={() => setAsking(!asking)}>
            {t("remove")}
          </button>
        )}
      </div>
      {known && !run.active && !job && run.state !== "corrupt" && (
        <details class="small">
          <summary>{t("options")}</summary>
          <div class="row">
            <Count label={t("samples")} value={samples} otherwise={t("auto")} onInput={setSamples} />
            <Count label={t("limit")} value={limit} otherwise={t("every")} onInput={setLimit} />
          </div>
        </details>
      )}
      {asking && (
        <div class="note" role="group" aria-label={t("remove")}>
          <p>{t("sure", { name: run.name })}</p>
          <div class="row">
            <button
              type="button"
              onClick={async () => {
                try {
                  await post(`${at}/delete`, { confirm: run.id });
                  go("runs");
                } catch (found) {
                  setError(found);
                }
              }}
            >
              {t("yes", { name: run.name })}
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              {t("no")}
            </button>
          </div>
        </div>
      )}
      <Trouble error={error} />
      {job && going(job) && !trains && <JobLine job={job} again={again} />}
    </section>
  );
}
