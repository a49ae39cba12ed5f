// One run of the list: state, what it is, how well it does, its newest picture.
import { href } from "../route";
import { url } from "../server";
import { words } from "../words";
import { boundOf, duration, type RunInfo, type State, stateOf, stateWords } from "./run_info";

const t = words(
  {
    step: "step {step}",
    of: "step {step} of {total}",
    compare: "Compare {name}",
    with: "Compare",
    picture: "newest picture of {name}",
    none: "no picture yet",
  },
  {
    step: "{step} 스텝",
    of: "{total} 스텝 중 {step}",
    compare: "{name} 비교에 넣기",
    with: "비교",
    picture: "{name}의 최근 그림",
    none: "아직 그림이 없습니다",
  },
);

export function Badge({ state }: { state: State }) {
  return <span class={`badge ${state}`}>{stateWords(state)}</span>;
}

interface CardProps {
  run: RunInfo;
  chosen: boolean;
  onChoose: (chosen: boolean) => void;
}

export function RunsCard({ run, chosen, onChoose }: CardProps) {
  const state = stateOf(run);
  const bound = boundOf(run);
  const picture = thumbnailOf(run);
  const error = state === "failed" || state === "corrupt" ? run.error : null;
  return (
    <li class="card run-card">
      <a class="thumbnail" href={href("run", run.id)} tabIndex={-1} aria-hidden="true">
        {picture ? (
          <img src={picture} alt={t("picture", { name: run.name })} loading="lazy" />
        ) : (
          <span class="soft small">{t("none")}</span>
        )}
      </a>
      <div class="about">
        <div class="row top">
          <h2>
            <a href={href("run", run.id)}>{run.name}</a>
          </h2>
          <Badge state={state} />
        </div>
        <p class="soft small">{[run.recipe, run.data].filter(Boolean).join(" · ") || run.path}</p>
        {bound && (
          <p>
            <strong>{bound.text}</strong> <span class="kind">{bound.kind}</span>
          </p>
        )}
        <Steps run={run} state={state} />
        {error && <p class="problem small">{error}</p>}
        {state !== "corrupt" && (
        <label class="small choose">
          <input
            type="checkbox"
            checked={chosen}
            aria-label={t("compare", { name: run.name })}
            onChange={(event) => onChoose(event.currentTarget.checked)}
          />
          <span aria-hidden="true">{t("with")}</span>
        </label>
        )}
      </div>
    </li>
  );
}

/** The newest: samples of a model that trains, else a picture that was drawn. */
function thumbnailOf(run: RunInfo): string | null {
  const at = `run/${encodeURIComponent(run.id)}`;
  if (run.snapshot !== null) return url(`${at}/snapshot/${run.snapshot}`);
  return run.thumbnail && `${url(`${at}/picture/${encodeURIComponent(run.thumbnail)}`)}?v=${run.changed}`;
}

/** How far it is; of one that has ended only how long it took. */
export function Steps({ run, state }: { run: RunInfo; state: State }) {
  const going = state === "training" || state === "measuring";
  const step = run.step.toLocaleString("en");
  const text = run.total && going ? t("of", { step, total: run.total.toLocaleString("en") }) : t("step", { step });
  if (state === "corrupt") return null;
  return (
    <>
      <p class="soft small">
        {text} · {duration(run.seconds)}
        {run.job && state === "measuring" && run.job.line ? ` · ${run.job.line}` : ""}
      </p>
      {state === "training" && run.total && (
        <progress value={Math.min(run.step, run.total)} max={run.total} aria-label={text} />
      )}
    </>
  );
}
