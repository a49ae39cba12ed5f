// Where we are, in the part of the address after #: it can be bookmarked, and Back works.
import { computed, signal } from "@preact/signals";

function read(): string {
  return location.hash.replace(/^#\/?/, "");
}

const address = signal(read());
addEventListener("hashchange", () => (address.value = read()));

/** `#/run/faces/map?colour=label` is `["run", "faces", "map"]` and `colour`. */
export const route = computed(() => {
  const [path = "", query = ""] = address.value.split("?", 2);
  return {
    parts: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: new URLSearchParams(query),
  };
});

export function href(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function go(...parts: string[]): void {
  location.hash = href(...parts);
}
