// A run's first tab: it shows of any run, whatever became of it.
import { AsCode, Trouble } from "../parts/basics";
import { words } from "../words";
import { OverviewActions } from "./OverviewActions";
import { OverviewCurves } from "./OverviewCurves";
import { type Numbers, OverviewNumbers } from "./OverviewNumbers";
import { OverviewPictures } from "./OverviewPictures";
import { Badge, Steps } from "./RunsCard";
import { boundOf, type RunInfo, stateOf } from "./run_info";

const t = words(
  {
    title: "Overview",
    how: "How it was trained",
    data: "Data",
    arguments: "Recipe",
    training: "Training",
    resolved: "What was chosen",
    versions: "Versions",
    command: "The command that makes it again",
    last: "at the last report",
    foreign: "It was trained with code of its own, which the studio does not run: it is shown, but not opened.",
  },
  {
    title: "개요",
    how: "학습 방법",
    data: "데이터",
    arguments: "레시피",
    training: "학습 설정",
    resolved: "자동으로 정해진 것",
    versions: "버전",
    command: "같은 모델을 다시 만드는 명령",
    last: "마지막 기록 기준",
    foreign: "사용자 코드로 학습한 모델입니다. 스튜디오는 그 코드를 실행하지 않으므로 기록만 보여 줍니다.",
  },
);

type Pairs = [name: string, text: string][];

export interface About extends RunInfo {
  summary: string;
  paper: string;
  /** Whether its recipe is one of lowerbound's own. */
  known: boolean;
  command: string | null;
  arguments: Pairs;
  training: Pairs;
  dataFacts: Pairs;
  resolved: Pairs;
  versions: Pairs;
  evaluation: Numbers | null;
  code: string;
}

export function Overview({ about, again }: { about: About; again: () => void }) {
  const state = stateOf(about);
  const bound = boundOf(about);
  return (
    <div class="overview">
      <div class="card head">
        <div class="row">
          <Badge state={state} />
          <strong>{about.recipe}</strong>
          {bound && (
            <span>
              {bound.text} <span class="kind">{bound.kind}</span>
              {about.bound?.from === "training" && <span class="soft small"> {t("last")}</span>}
            </span>
          )}
        </div>
        <p class="soft small">
          {about.summary} {about.paper}
        </p>
        <Steps run={about} state={state} />
        <Trouble error={about.error} />
        {!about.known && state !== "corrupt" && <p class="note small">{t("foreign")}</p>}
        <OverviewActions run={about} known={about.known} again={again} />
      </div>
      {state !== "corrupt" && (
        <>
          <OverviewCurves run={about.id} changed={about.changed} />
          <OverviewPictures run={about} known={about.known} />
          <OverviewNumbers numbers={about.evaluation} />
          <How about={about} />
          <AsCode code={about.code} />
        </>
      )}
    </div>
  );
}
Overview.title = () => t("title");

function How({ about }: { about: About }) {
  const parts = ["data", "arguments", "training", "resolved", "versions"] as const;
  const of = { ...about, data: about.dataFacts };
  return (
    <section>
      <h2>{t("how")}</h2>
      {about.command && (
        <>
          <p class="small soft">{t("command")}</p>
          <pre tabIndex={0}>{about.command}</pre>
        </>
      )}
      {parts.map((part) => {
        const pairs = of[part] as Pairs;
        return pairs.length ? (
          <details key={part} open={part === "data"}>
            <summary>{t(part)}</summary>
            <dl class="facts small">
              {pairs.map(([name, text]) => (
                <div key={name}>
                  <dt>{name.replaceAll("_", " ")}</dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </details>
        ) : null;
      })}
    </section>
  );
}
