// Work that a view waits for: it is asked for until it has ended, then its result once.
import { useEffect, useState } from "preact/hooks";
import { usePolled } from "../parts/polled";
import { get } from "../server";
import type { JobInfo } from "./run_info";

/** A piece of work by its id, and what came of it. */
export function useJob<T>(id: string | null): {
  job: JobInfo | undefined;
  result: T | undefined;
  error: unknown;
  again: () => void;
} {
  const { value, error, again } = usePolled<JobInfo | undefined>(
    () => (id ? get(`job/${id}`) : Promise.resolve(undefined)),
    (found) => (found && (found.state === "running" || found.state === "stopping") ? 0.7 : 3600),
    [id],
  );
  const [found, setFound] = useState<{ id: string; result?: T; error?: unknown } | null>(null);
  const done = value?.id === id && value?.state === "done";
  useEffect(() => {
    if (!id || !done) return;
    let wanted = true;
    get<T>(`job/${id}/result`).then(
      (result) => wanted && setFound({ id, result }),
      (problem: unknown) => wanted && setFound({ id, error: problem }),
    );
    return () => {
      wanted = false;
    };
  }, [id, done]);
  const mine = found?.id === id ? found : null;
  return { job: value, result: mine?.result, error: error ?? mine?.error, again };
}
