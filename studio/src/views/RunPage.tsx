// One run: its overview, which any run has, and the views that suit what its model can.
import { useMemo } from "preact/hooks";
import { Busy, Trouble, useFetched } from "../parts/basics";
import { usePolled } from "../parts/polled";
import type { About } from "../latent";
import { href } from "../route";
import { get, messageOf, Problem } from "../server";
import { words } from "../words";
import { RUN_VIEWS } from ".";
import { Diagnose } from "./Diagnose";
import { type About as Known, Overview } from "./Overview";
import { ServerLatent } from "./server_latent";

const t = words(
  {
    views: "Views of the run",
    back: "Back to the list of runs",
    closed: "Its model does not open: {why}",
    opening: "Opening the model …",
    unknown: "This run has no view “{view}”; here is its overview.",
    none: "There is no model to open yet; it comes with the first checkpoint.",
  },
  {
    views: "모델 보기",
    back: "학습 목록으로 돌아가기",
    closed: "모델을 열 수 없습니다: {why}",
    opening: "모델을 여는 중 …",
    unknown: "이 모델에는 “{view}” 보기가 없습니다. 대신 개요를 보여 줍니다.",
    none: "아직 열 수 있는 모델이 없습니다. 첫 체크포인트가 저장되면 열립니다.",
  },
);

const OWN = ["overview", "diagnose"];

export function RunPage({ run, view = "overview" }: { run: string; view: string | undefined }) {
  const at = `run/${encodeURIComponent(run)}`;
  const known = usePolled<Known>(
    () => get(`${at}/overview`),
    (found) => (found?.active || found?.job ? 1.5 : 4),
    [run],
  );
  // What cannot be opened is not asked for: it is shown, and no line of an error beside it.
  const opens = Boolean(known.value?.known && known.value.weights);
  const { value: about, error: closed } = useFetched(
    () => (opens ? get<About>(at) : Promise.resolve(null)),
    [run, opens],
  );
  const latent = useMemo(() => (about ? new ServerLatent(run, about) : null), [run, about]);

  // A studio that does not answer for a moment takes nothing off the page; a run that is gone does.
  const away = known.error instanceof Problem && known.error.status === 0;
  if (known.error && !(away && known.value)) return <Gone error={known.error} />;
  if (!known.value) return <Busy />;
  const suiting = about ? RUN_VIEWS.filter((each) => each.suits(about)) : [];
  const tabs = [
    { id: "overview", title: Overview.title },
    ...suiting,
    ...(known.value.state === "corrupt" ? [] : [{ id: "diagnose", title: Diagnose.title }]),
  ];
  const chosen = suiting.find((each) => each.id === view);
  const own = OWN.includes(view);
  return (
    <>
      <h1>{known.value.name}</h1>
      <Trouble error={known.error} />
      <nav class="tabs" aria-label={t("views")}>
        {tabs.map((each) => (
          <a key={each.id} href={href("run", run, each.id)} aria-current={each.id === view ? "page" : undefined}>
            {each.title()}
          </a>
        ))}
        {!about && !closed && own && opens && <Busy>{t("opening")}</Busy>}
      </nav>
      {Boolean(closed) && !own && <Trouble error={t("closed", { why: messageOf(closed) })} />}
      {!about && !closed && !own && (opens ? <Busy>{t("opening")}</Busy> : <p>{t("none")}</p>)}
      {about && !chosen && !own && <Trouble error={t("unknown", { view })} />}
      {(view === "overview" || (about && !chosen && !own)) && <Overview about={known.value} again={known.again} />}
      {view === "diagnose" && <Diagnose run={run} known={known.value.known} />}
      {chosen && latent && <chosen.view key={chosen.id} run={run} latent={latent} />}
    </>
  );
}

/** Deleted meanwhile, or the studio has ended. */
function Gone({ error }: { error: unknown }) {
  return (
    <>
      <Trouble error={error} />
      <p>
        <a class="button" href={href("runs")}>
          {t("back")}
        </a>
      </p>
    </>
  );
}
