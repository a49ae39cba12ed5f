// The frame of every page: where one can go, the language, light or dark.
import { href, route } from "./route";
import { type Theme, theme } from "./theme";
import { type Language, language, speak, words } from "./words";
import { PAGES } from "./views";
import { RunPage } from "./views/RunPage";

const t = words(
  {
    main: "Main",
    language: "Language",
    theme: "Colours",
    system: "As the system",
    light: "Light",
    dark: "Dark",
    lost: "There is no page {page}.",
    skip: "To the content",
  },
  {
    main: "주 메뉴",
    language: "언어",
    theme: "색",
    system: "시스템 설정",
    light: "밝게",
    dark: "어둡게",
    lost: "{page} 페이지가 없습니다.",
    skip: "본문으로",
  },
);

export function Shell() {
  const [here = "runs", ...rest] = route.value.parts;
  return (
    <div class="shell">
      <a class="hidden" href="#main" onClick={skip}>
        {t("skip")}
      </a>
      <header class="bar">
        <a class="brand" href={href()}>
          lowerbound
        </a>
        <nav aria-label={t("main")}>
          {PAGES.map((page) => (
            <a
              key={page.id}
              href={href(page.id)}
              aria-current={here === page.id || (here === "run" && page.id === "runs") ? "page" : undefined}
            >
              {page.title()}
            </a>
          ))}
        </nav>
        <Settings />
      </header>
      <main id="main" tabIndex={-1}>
        <Content here={here} rest={rest} />
      </main>
    </div>
  );
}

function Content({ here, rest }: { here: string; rest: string[] }) {
  const [run, view] = rest;
  if (here === "run" && run) return <RunPage key={run} run={run} view={view} />;
  const page = PAGES.find((each) => each.id === here);
  return page ? <page.view /> : <p class="problem">{t("lost", { page: here })}</p>;
}

/** The part after # is the address of a view, so the jump is made by hand. */
function skip(event: Event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

export function Settings() {
  return (
    <div class="end small">
      <label>
        <span class="hidden">{t("language")}</span>
        <select
          value={language.value}
          onChange={(event) => speak(event.currentTarget.value as Language)}
        >
          <option value="en">English</option>
          <option value="ko">한국어</option>
        </select>
      </label>
      <label>
        <span class="hidden">{t("theme")}</span>
        <select
          value={theme.value}
          onChange={(event) => (theme.value = event.currentTarget.value as Theme)}
        >
          {(["system", "light", "dark"] as const).map((each) => (
            <option key={each} value={each}>
              {t(each)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
