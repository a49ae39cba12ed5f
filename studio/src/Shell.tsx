// The frame of every page: where one can go, the language, light or dark.
import { useEffect } from "preact/hooks";
import { href, route } from "./route";
import { Settings } from "./parts/Settings";
import { words } from "./words";
import { PAGES } from "./views";
import { RunPage } from "./views/RunPage";

const t = words(
  {
    main: "Main",
    lost: "There is no page {page}.",
    skip: "To the content",
  },
  {
    main: "주 메뉴",
    lost: "{page} 페이지가 없습니다.",
    skip: "본문으로",
  },
);

export function Shell() {
  const [here = "runs", ...rest] = route.value.parts;
  const title = here === "run" ? rest[0] : PAGES.find((page) => page.id === here)?.title();
  useEffect(() => {
    // Several runs in several tabs are told apart by it.
    document.title = `${title ?? here} – lowerbound`;
  }, [title, here]);
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
