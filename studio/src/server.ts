// The way to the server. Whatever goes wrong arrives as one line that can be shown.
import { words } from "./words";

const t = words(
  { away: "The studio does not answer; is `lowerbound studio` still running?" },
  { away: "스튜디오가 응답하지 않습니다. `lowerbound studio`가 실행 중인가요?" },
);

/** Something the reader can mend; its message is shown as it is. */
export class Problem extends Error {
  /** @param status of the answer; 0 where none came. */
  constructor(
    message: string,
    readonly status = 0,
  ) {
    super(message);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

type Query = Record<string, string | number | boolean | null | undefined>;

export function url(path: string, query: Query = {}): string {
  const known = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const search = new URLSearchParams(known.map(([name, value]) => [name, String(value)]));
  return `api/${path}${known.length ? `?${search}` : ""}`;
}

async function ask<T>(path: string, options: RequestInit): Promise<T> {
  let reply: Response;
  try {
    // A page of another origin cannot set this header without being asked about first.
    reply = await fetch(path, { ...options, headers: { ...options.headers, "X-Lowerbound": "1" } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(t("away"));
  }
  const text = await reply.text();
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Problem(`${reply.status} ${reply.statusText}`, reply.status);
  }
  if (!reply.ok) throw new Problem((found as { error?: string }).error ?? `${reply.status}`, reply.status);
  return found as T;
}

export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return ask<T>(url(path, query), signal ? { signal } : {});
}

export function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return ask<T>(url(path), {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    ...(signal ? { signal } : {}),
  });
}

/** Bring a file to the server; it is known there by the id that comes back. */
export function upload(file: File): Promise<{ id: string; name: string }> {
  return ask(url("upload", { name: file.name }), {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
  });
}

/**
 * What follows a finger: one request is on its way, and of those that come meanwhile only the last
 * is sent. So the picture keeps up, however slow the decoder is, and no old one covers a new one.
 */
export function latest<A, R>(
  work: (argument: A) => Promise<R>,
  done: (result: R, argument: A) => void,
  failed: (error: unknown) => void,
): (argument: A) => void {
  let busy = false;
  let next: { argument: A } | null = null;
  async function run(argument: A): Promise<void> {
    busy = true;
    try {
      done(await work(argument), argument);
    } catch (error) {
      failed(error);
    }
    busy = false;
    const waiting = next;
    next = null;
    if (waiting) void run(waiting.argument);
  }
  return (argument) => {
    if (busy) next = { argument };
    else void run(argument);
  };
}
