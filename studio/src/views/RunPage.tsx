// One run: what it is, and the views that suit it.
import { useMemo } from "preact/hooks";
import { Busy, Trouble, useFetched } from "../parts/basics";
import { href } from "../route";
import { get } from "../server";
import type { About } from "../latent";
import { words } from "../words";
import { RUN_VIEWS } from ".";
import { ServerLatent } from "./server_latent";

const t = words({ views: "Views of the run" }, { views: "모델 보기" });

export function RunPage({ run, view }: { run: string; view: string | undefined }) {
  const { value: about, error } = useFetched(() => get<About>(`run/${encodeURIComponent(run)}`), [run]);
  const latent = useMemo(() => (about ? new ServerLatent(run, about) : null), [run, about]);
  if (error) return <Trouble error={error} />;
  if (!about || !latent) return <Busy />;
  const suiting = RUN_VIEWS.filter((each) => each.suits(about));
  const chosen = suiting.find((each) => each.id === view) ?? suiting[0];
  return (
    <>
      <h1>{about.name}</h1>
      <nav class="tabs" aria-label={t("views")}>
        {suiting.map((each) => (
          <a
            key={each.id}
            href={href("run", run, each.id)}
            aria-current={each === chosen ? "page" : undefined}
          >
            {each.title()}
          </a>
        ))}
      </nav>
      {chosen && <chosen.view key={chosen.id} run={run} latent={latent} />}
    </>
  );
}
