// Work of the studio that is not told by a run's card: trainings that begin, and what failed.
import { useState } from "preact/hooks";
import { Trouble } from "../parts/basics";
import { post } from "../server";
import { words } from "../words";
import type { JobInfo } from "./run_info";

const t = words(
  {
    title: "Under way",
    train: "training {name}",
    resume: "going on with {name}",
    evaluate: "measuring {name}",
    diagnose: "looking {name} over",
    compare: "comparing runs",
    failed: "{what}: it failed",
    stop: "Stop",
    again: "Stop at once",
    dismiss: "Dismiss",
    begins: "it begins …",
  },
  {
    title: "진행 중인 작업",
    train: "{name} 학습",
    resume: "{name} 이어서 학습",
    evaluate: "{name} 평가",
    diagnose: "{name} 진단",
    compare: "모델 비교",
    failed: "{what}: 실패했습니다",
    stop: "중단",
    again: "바로 중단",
    dismiss: "닫기",
    begins: "시작하는 중 …",
  },
);

export const going = (job: JobInfo) => job.state === "running" || job.state === "stopping";

/** Those that the cards do not tell of: what begins, and what failed. */
export function RunsJobs({ jobs, again }: { jobs: JobInfo[]; again: () => void }) {
  const told = jobs.filter((job) => (going(job) && !job.run) || job.state === "failed");
  if (!told.length) return null;
  return (
    <section class="jobs" aria-label={t("title")}>
      {told.map((job) => (
        <JobLine key={job.id} job={job} again={again} />
      ))}
    </section>
  );
}

/** One piece of work, how far it is, and the way to stop it. */
export function JobLine({ job, again }: { job: JobInfo; again: () => void }) {
  const [error, setError] = useState<unknown>(null);
  const what = t(job.kind, { name: job.name ?? "" });
  const act = async (how: "stop" | "forget") => {
    try {
      await post(`job/${job.id}/${how}`, {});
      setError(null);
    } catch (found) {
      setError(found);
    }
    again();
  };
  const failed = job.state === "failed";
  return (
    <div class={failed ? "problem job" : "note job"} role="status">
      <div class="row">
        <strong>{failed ? t("failed", { what }) : what}</strong>
        {going(job) ? (
          <button type="button" onClick={() => act("stop")}>
            {t(job.state === "stopping" ? "again" : "stop")}
          </button>
        ) : (
          <button type="button" onClick={() => act("forget")}>
            {t("dismiss")}
          </button>
        )}
      </div>
      {job.total !== null && going(job) && (
        <progress value={job.done ?? 0} max={job.total} aria-label={what} />
      )}
      <p class="small">{job.line || (going(job) ? t("begins") : "")}</p>
      <Trouble error={error} />
    </div>
  );
}
