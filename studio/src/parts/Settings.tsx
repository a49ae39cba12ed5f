// The language, and light or dark; of the studio and of the page to give away.
import { type Theme, theme } from "../theme";
import { type Language, language, speak, words } from "../words";

const t = words(
  {
    language: "Language",
    theme: "Colours",
    system: "As the system",
    light: "Light",
    dark: "Dark",
  },
  {
    language: "언어",
    theme: "색",
    system: "시스템 설정",
    light: "밝게",
    dark: "어둡게",
  },
);

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
