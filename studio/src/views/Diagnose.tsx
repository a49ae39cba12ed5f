// What is wrong with a run, with the evidence, and a training to try what helps.
import { useEffect, useState } from "preact/hooks";
import { AsCode, Busy, Trouble } from "../parts/basics";
import { href } from "../route";
import { get, post } from "../server";
import { words } from "../words";
import { useJob } from "./jobs";
import type { JobInfo } from "./run_info";
import { going, JobLine } from "./RunsJobs";

const t = words(
  {
    title: "Diagnose",
    what: "Measures some hundred examples anew and reads what the run reported, in a few seconds. Nothing is written.",
    start: "Look it over",
    anew: "Look it over again",
    fine: "Nothing was found wrong in {n} checks.",
    evidence: "Evidence",
    helps: "What helps",
    attempt: "Train with {flags}",
    measured: "What was measured",
    checked: "Checked: {names}",
    passed: "Not checked",
    foreign: "It was trained with code of its own, which the studio does not run: `lowerbound diagnose RUN --recipe file.py:function` looks it over.",
  },
  {
    title: "진단",
    what: "데이터 몇백 개를 다시 평가하고 학습 기록을 읽습니다. 몇 초 걸리고, 아무것도 저장하지 않습니다.",
    start: "진단하기",
    anew: "다시 진단하기",
    fine: "{n}가지를 확인했고 문제를 찾지 못했습니다.",
    evidence: "근거",
    helps: "해결 방법",
    attempt: "{flags}(으)로 학습하기",
    measured: "측정한 값",
    checked: "확인한 것: {names}",
    passed: "확인하지 않은 것",
    foreign: "사용자 코드로 학습한 모델이라 스튜디오가 실행하지 않습니다. `lowerbound diagnose RUN --recipe file.py:function`으로 진단하세요.",
  },
);

interface Finding {
  cause: string;
  title: string;
  says: string;
  evidence: string;
  helps: string;
  suggested: { recipe: string; values: Record<string, string>; shown: string }[];
}

interface Diagnosis {
  headline: string;
  findings: Finding[];
  measured: [string, string][];
  checked: string[];
  passed_over: Record<string, string>;
  code: string;
}

export function Diagnose({ run, known }: { run: string; known: boolean }) {
  const at = `run/${encodeURIComponent(run)}/diagnose`;
  const [id, setId] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const { job, result, error: wrong, again } = useJob<Diagnosis>(id);
  useEffect(() => {
    // One that was made before is shown at once.
    get<JobInfo | null>(at).then((found) => found && setId(found.id), setError);
  }, [at]);
  const start = async () => {
    try {
      setId((await post<JobInfo>(at, {})).id);
      setError(null);
    } catch (found) {
      setError(found);
    }
  };
  const busy = Boolean(job && going(job));
  if (!known) return <p class="note">{t("foreign")}</p>;
  return (
    <>
      <p class="soft">{t("what")}</p>
      <p>
        <button type="button" class="first" disabled={busy} onClick={start}>
          {t(result ? "anew" : "start")}
        </button>
      </p>
      <Trouble error={error ?? wrong} />
      {job && (busy || job.state === "failed") && <JobLine job={job} again={again} />}
      {job?.state === "done" && !result && !wrong && <Busy />}
      {result && <Found run={run} found={result} />}
    </>
  );
}
Diagnose.title = () => t("title");

function Found({ run, found }: { run: string; found: Diagnosis }) {
  return (
    <>
      {found.findings.length === 0 && <p class="good">{t("fine", { n: found.checked.length })}</p>}
      <ol class="findings">
        {found.findings.map((each) => (
          <li key={each.cause} class="card">
            <h2>{each.title}</h2>
            <p>{each.says}.</p>
            <dl class="facts">
              <div>
                <dt>{t("evidence")}</dt>
                <dd>{each.evidence}</dd>
              </div>
              <div>
                <dt>{t("helps")}</dt>
                <dd>{each.helps}</dd>
              </div>
            </dl>
            <div class="row">
              {each.suggested.map((one) => (
                <a
                  key={one.shown}
                  class="button"
                  href={`${href("new")}?${new URLSearchParams({ from: run, recipe: one.recipe, ...prefixed(one.values) })}`}
                >
                  {t("attempt", { flags: one.shown })}
                </a>
              ))}
            </div>
          </li>
        ))}
      </ol>
      <details class="small">
        <summary>{t("measured")}</summary>
        <dl class="facts">
          {found.measured.map(([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <p>{t("checked", { names: found.checked.join(", ") })}</p>
        {Object.keys(found.passed_over).length > 0 && <p>{t("passed")}:</p>}
        <dl class="facts">
          {Object.entries(found.passed_over).map(([name, why]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{why}</dd>
            </div>
          ))}
        </dl>
      </details>
      <AsCode code={found.code} />
    </>
  );
}

/** In the address, `set.latent_dim=8`: a flag's name is never taken for another word. */
function prefixed(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`set.${key}`, value]));
}
