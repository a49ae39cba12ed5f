// What is asked for again and again: once at a time, and not while nobody looks.
import { useEffect, useRef, useState } from "preact/hooks";

interface Polled<T> {
  value: T | undefined;
  /** Of the last time; the last value stays beside it. */
  error: unknown;
  again: () => void;
}

/**
 * @param work what is asked.
 * @param every seconds between two answers and questions, or what tells them by the last answer.
 * @param on what makes it another question: what was known is forgotten then.
 */
export function usePolled<T>(
  work: () => Promise<T>,
  every: number | ((value: T | undefined) => number),
  on: readonly unknown[],
): Polled<T> {
  const [found, setFound] = useState<{ value?: T; error?: unknown }>({});
  const ask = useRef<() => void>(() => {});
  useEffect(() => {
    let wanted = true;
    let busy = false;
    let timer = 0;
    let last: T | undefined;
    const run = async () => {
      clearTimeout(timer);
      if (!wanted || busy) return;
      busy = true;
      try {
        last = await work();
        if (wanted) setFound({ value: last });
      } catch (error) {
        if (wanted) setFound((before) => ({ ...before, error }));
      }
      busy = false;
      if (!wanted) return;
      const wait = typeof every === "number" ? every : every(last);
      if (!document.hidden) timer = window.setTimeout(run, wait * 1000);
    };
    const shown = () => {
      if (!document.hidden) void run();
    };
    ask.current = () => void run();
    document.addEventListener("visibilitychange", shown);
    setFound({});
    void run();
    return () => {
      wanted = false;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, on);
  return { value: found.value, error: found.error, again: () => ask.current() };
}
