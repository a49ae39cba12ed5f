// One session of the lab: begun, asked for pictures as fast as they are drawn, and ended.
import { signal } from "@preact/signals";
import { get, post, Problem, url } from "../server";
import { words } from "../words";
import { type Choices, type Frame, LIVE, opened, type Pair, type Told, unpack, type Packed } from "./types";

const t = words(
  { ended: "Nobody looked for a minute, and it was closed. Press Reset to begin anew." },
  { ended: "1분 동안 보는 사람이 없어 닫았습니다. ‘처음부터’를 눌러 다시 시작하세요." },
);

/** One line of a chart: what was told at which step. */
export interface Place {
  step: number;
  values: Record<string, number>;
}

const MOST_PLACES = 800;

export class Session {
  readonly told = signal<Told | null>(null);
  readonly frame = signal<Frame | null>(null);
  /** Of the charts; a new array when it is worth drawing them anew. */
  readonly places = signal<Place[]>([]);
  readonly error = signal<unknown>(null);
  readonly running = signal(false);
  /** Pictures a second. */
  readonly pace = signal(0);
  private id: string | null = null;
  private turn = 0;
  private kept: Place[] = [];
  private charted = 0;
  private every = 1;

  /** A new model; the old one is let go. */
  async begin(choices: Choices, strokes: Pair[][], running: boolean): Promise<void> {
    const turn = ++this.turn;
    const instead = this.id;
    this.id = null;
    this.error.value = null;
    const drawn = choices.density === "drawn" ? { strokes } : {};
    try {
      const came = await post<Record<string, unknown>>("lab", { ...choices, ...drawn, instead });
      const told = {
        ...came,
        points: unpack(came.points as Packed),
        truth: unpack(came.truth as Packed),
        noise: unpack(came.noise as Packed),
      } as unknown as Told;
      if (turn !== this.turn) return drop(told.id);
      this.id = told.id;
      this.kept = [];
      this.every = 1;
      this.places.value = [];
      this.frame.value = null;
      this.told.value = told;
      if (running) await this.play(true);
      void this.follow(turn, told.id);
    } catch (error) {
      if (turn !== this.turn) return;
      this.error.value = error;
      this.running.value = false;
    }
  }

  async play(running: boolean): Promise<void> {
    this.running.value = running;
    await this.ask("live", { running });
  }

  async step(steps: number): Promise<void> {
    this.running.value = false;
    await this.ask("step", { steps });
  }

  /** What needs no new model. */
  async change(choices: Partial<Choices>): Promise<void> {
    const wanted = Object.fromEntries(LIVE.filter((name) => name in choices).map((name) => [name, choices[name]]));
    await this.ask("live", wanted);
  }

  async code(): Promise<string> {
    return this.id === null ? "" : (await get<{ code: string }>(`lab/${this.id}/code`)).code;
  }

  /** The address of a file. */
  file(name: string): string {
    return url(`lab/${this.id}/${name}`);
  }

  end(): void {
    this.turn++;
    if (this.id !== null) drop(this.id);
    this.id = null;
  }

  private async ask(what: string, body: unknown): Promise<void> {
    if (this.id === null) return;
    try {
      await post(`lab/${this.id}/${what}`, body);
    } catch (error) {
      this.error.value = error;
    }
  }

  private async follow(turn: number, id: string): Promise<void> {
    let after = 0;
    let seen = performance.now();
    while (turn === this.turn) {
      let frame: Frame;
      try {
        frame = opened(await get<Record<string, unknown>>(`lab/${id}/frame`, { after }));
      } catch (error) {
        if (turn === this.turn) {
          this.error.value = error;
          this.running.value = false;
        }
        return;
      }
      if (turn !== this.turn) return;
      if (frame.number > after) {
        after = frame.number;
        const now = performance.now();
        const pace = 1000 / Math.max(1, now - seen);
        this.pace.value = this.pace.value ? 0.85 * this.pace.value + 0.15 * pace : pace;
        seen = now;
        this.frame.value = { ...this.frame.value, ...frame };
        this.keep(this.frame.value);
      } else if (this.frame.value) {
        this.frame.value = { ...this.frame.value, ...frame };
      }
      if (frame.error) this.error.value = new Error(frame.error);
      if (frame.done || frame.error) this.running.value = false;
      if (frame.closed) {
        this.running.value = false;
        if (!frame.error) this.error.value = new Problem(t("ended"));
        return;
      }
      await drawn();
    }
  }

  private keep(frame: Frame): void {
    const values: Record<string, number> = { ...frame.terms };
    for (const [name, value] of Object.entries(frame.reading ?? {})) values[name] = value;
    if (!Object.keys(values).length) return;
    const last = this.kept.at(-1);
    if (last?.step === frame.step) last.values = { ...last.values, ...values };
    else if (!last || frame.step - last.step >= this.every) this.kept.push({ step: frame.step, values });
    if (this.kept.length > MOST_PLACES) {
      // Every other one goes, so that the whole of the training stays in view.
      this.kept = this.kept.filter((_, place) => place % 2 === 0);
      this.every = Math.max(1, (frame.step / MOST_PLACES) * 1.5);
    }
    const now = performance.now();
    if (now - this.charted > 200 || !this.running.peek()) {
      this.charted = now;
      this.places.value = [...this.kept];
    }
  }
}

/** Also when the page is going away, hence no `post`. */
function drop(id: string): void {
  fetch(url(`lab/${id}/end`), {
    method: "POST",
    keepalive: true,
    body: "{}",
    headers: { "X-Lowerbound": "1", "Content-Type": "application/json" },
  }).catch(() => undefined);
}

/** Until the browser draws; a page that nobody sees does not, and then nothing more is asked. */
function drawn(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
