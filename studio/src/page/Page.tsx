// The frame of a page to give away: what the model is, what was measured, and the views.
import type { ComponentType } from "preact";
import type { Latent, Tool } from "../latent";
import { Settings } from "../parts/Settings";
import { href, route } from "../route";
import { Attributes } from "../views/Attributes";
import { MapView } from "../views/Map";
import { Morph } from "../views/Morph";
import { Plane } from "../views/Plane";
import { Sliders } from "../views/Sliders";
import { words } from "../words";
import { Measured } from "./Measured";
import type { Told } from "./packed";

const t = words(
  {
    views: "Views",
    skip: "To the content",
    made: "Made with lowerbound {version}. The model runs in this browser; nothing is sent anywhere, files of yours included.",
    notes: "About this file",
  },
  {
    views: "보기",
    skip: "본문으로",
    made: "lowerbound {version}(으)로 만들었습니다. 모델은 이 브라우저 안에서 실행되며, 여러분의 파일을 포함해 아무것도 밖으로 보내지 않습니다.",
    notes: "이 파일에 대하여",
  },
);

interface View {
  id: Tool;
  title: () => string;
  view: ComponentType<{ latent: Latent }>;
}

const VIEWS: View[] = [
  { id: "map", title: MapView.title, view: MapView },
  { id: "sliders", title: Sliders.title, view: Sliders },
  { id: "plane", title: Plane.title, view: Plane },
  { id: "morph", title: Morph.title, view: Morph },
  { id: "attributes", title: Attributes.title, view: Attributes },
];

export function Page({ told, latent }: { told: Told; latent: Latent }) {
  const views = VIEWS.filter((each) => latent.about.tools.includes(each.id));
  const chosen = views.find((each) => each.id === route.value.parts[0]) ?? views[0];
  return (
    <div class="shell">
      <a class="hidden" href="#main" onClick={skip}>
        {t("skip")}
      </a>
      <header class="bar">
        <h1 class="given-title">{told.title}</h1>
        <Settings />
      </header>
      <Measured told={told} />
      <nav class="tabs" aria-label={t("views")}>
        {views.map((each) => (
          <a key={each.id} href={href(each.id)} aria-current={each === chosen ? "page" : undefined}>
            {each.title()}
          </a>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        {chosen && <chosen.view key={chosen.id} latent={latent} />}
      </main>
      <footer class="soft small given-foot">
        <p>{t("made", { version: told.model.version })}</p>
        {told.notes.length > 0 && (
          <details>
            <summary>{t("notes")}</summary>
            <ul>
              {told.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          </details>
        )}
      </footer>
    </div>
  );
}

/** The part after # is the address of a view, so the jump is made by hand. */
function skip(event: Event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
