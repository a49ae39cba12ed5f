// English and Korean. Each part of the page brings its own words; the compiler sees to it that
// both languages have all of them.
import { signal } from "@preact/signals";

export type Language = "en" | "ko";

const KEPT = "lowerbound.language";

function first(): Language {
  const kept = keep(KEPT);
  if (kept === "en" || kept === "ko") return kept;
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}

/** What a browser that keeps nothing (a file, a private window) answers is nothing. */
export function keep(name: string, value?: string): string | null {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export const language = signal<Language>(first());

export function speak(chosen: Language): void {
  language.value = chosen;
  keep(KEPT, chosen);
  document.documentElement.lang = chosen;
}

type Values = Record<string, string | number>;

/**
 * The words of one part: `const t = words({ title: "Map of {n}" }, { title: "지도 {n}" })`, then
 * `t("title", { n: 3 })`. What calls it is drawn anew when the language changes.
 */
export function words<T extends Record<string, string>>(
  en: T,
  ko: { [K in keyof T]: string },
): (key: keyof T & string, values?: Values) => string {
  return (key, values = {}) => {
    const text: string = (language.value === "ko" ? ko : en)[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  };
}
