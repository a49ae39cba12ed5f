// What a run reports while it trains: a chart for each quantity, on training and held-out data.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Choice, Trouble } from "../parts/basics";
import { Curves, type Line, short } from "../parts/Curves";
import { get } from "../server";
import { words } from "../words";

const t = words(
  {
    title: "Curves",
    none: "Nothing is reported yet.",
    train: "training",
    test: "held out (test)",
    validation: "held out (validation)",
    axis: "Axis",
    step: "step",
    epoch: "epoch",
    minutes: "minutes",
    part: "Show",
    whole: "the whole run",
    half: "the last half",
    tenth: "the last tenth",
    scale: "Scale",
    linear: "linear",
    log: "logarithmic",
    hint: "Drag over a chart to zoom in; double-click to see all of it again.",
    file: "Download .csv",
    last: "{name}: {value} at step {step}",
  },
  {
    title: "학습 곡선",
    none: "아직 기록된 값이 없습니다.",
    train: "학습 데이터",
    test: "평가 데이터 (test)",
    validation: "평가 데이터 (validation)",
    axis: "가로축",
    step: "스텝",
    epoch: "에포크",
    minutes: "분",
    part: "범위",
    whole: "전체",
    half: "뒤쪽 절반",
    tenth: "마지막 10분의 1",
    scale: "눈금",
    linear: "선형",
    log: "로그",
    hint: "그래프 위를 끌면 확대되고, 두 번 클릭하면 전체가 다시 보입니다.",
    file: ".csv 내려받기",
    last: "{name}: {step} 스텝에서 {value}",
  },
);

export interface Report {
  step: number;
  epoch?: number;
  seconds?: number;
  split?: string;
  [name: string]: number | string | null | undefined;
}

const PLACES = ["step", "epoch", "seconds", "split", "learning_rate", "examples_per_second", "examples"];
/** As the terminal calls them, the bound turned round so that all fall while it learns. */
const NAMES: Record<string, [name: string, unit: string, sign: number]> = {
  log_likelihood: ["−log p(x)", "nats", -1],
  iwae: ["−IWAE bound", "nats", -1],
  bound: ["−ELBO", "nats", -1],
  distortion: ["distortion −log p(x|z)", "nats", 1],
  rate: ["rate KL(q(z|x) ‖ p(z))", "nats", 1],
  masked_token: ["−log p(masked token)", "nats", 1],
  gain: ["gain of the fitted prior", "nats", 1],
  squared_error: ["squared error", "", 1],
  loss: ["loss", "", 1],
};
const ORDER = Object.keys(NAMES);

type Axis = "step" | "epoch" | "minutes";
type Part = "whole" | "half" | "tenth";

/** Lines of the file as they come: only what is new is fetched. */
function useReports(run: string, changed: number): { reports: Report[]; error: unknown } {
  const [found, setFound] = useState<{ reports: Report[]; error: unknown }>({ reports: [], error: null });
  const place = useRef({ of: "", after: 0, reports: [] as Report[] });
  useEffect(() => {
    place.current = { of: "", after: 0, reports: [] };
  }, [run]);
  useEffect(() => {
    let wanted = true;
    const ask = async () => {
      const now = place.current;
      const reply = await get<{ of: string; after: number; lines: Report[]; anew: boolean; more: boolean }>(
        `run/${encodeURIComponent(run)}/metrics`,
        { after: now.after, of: now.of },
      );
      if (!wanted) return;
      const reports = reply.anew ? reply.lines : reply.lines.length ? [...now.reports, ...reply.lines] : now.reports;
      place.current = { of: reply.of, after: reply.after, reports };
      setFound({ reports, error: null });
      if (reply.more) await ask();
    };
    ask().catch((error: unknown) => wanted && setFound((before) => ({ ...before, error })));
    return () => {
      wanted = false;
    };
  }, [run, changed]);
  return found;
}

export function OverviewCurves({ run, changed }: { run: string; changed: number }) {
  const { reports, error } = useReports(run, changed);
  const [axis, setAxis] = useState<Axis>("step");
  const [part, setPart] = useState<Part>("whole");
  const [scale, setScale] = useState<"linear" | "log">("linear");
  const shown = useMemo(() => cut(reports, part), [reports, part]);
  const charts = useMemo(() => chartsOf(shown, axis), [shown, axis, t("train")]);
  return (
    <section>
      <h2>{t("title")}</h2>
      <Trouble error={error} />
      {charts.length === 0 && !error && <p class="soft">{t("none")}</p>}
      {charts.length > 0 && (
        <>
          <div class="row filters">
            <Choice label={t("axis")} value={axis} onChange={setAxis} choices={pairs(["step", "epoch", "minutes"])} />
            <Choice label={t("part")} value={part} onChange={setPart} choices={pairs(["whole", "half", "tenth"])} />
            <Choice label={t("scale")} value={scale} onChange={setScale} choices={pairs(["linear", "log"])} />
            <button type="button" onClick={() => save(reports, `${run}.csv`)}>
              {t("file")}
            </button>
          </div>
          <div class="charts">
            {charts.map((chart) => (
              <figure key={chart.name} class="card">
                <figcaption>
                  {chart.name} {chart.unit && <span class="soft">({chart.unit})</span>}
                </figcaption>
                <Curves
                  label={chart.label}
                  x={chart.x}
                  xLabel={t(axis)}
                  lines={chart.lines}
                  log={scale === "log"}
                  together="run"
                />
              </figure>
            ))}
          </div>
          <p class="soft small">{t("hint")}</p>
        </>
      )}
    </section>
  );
}

function pairs<K extends Parameters<typeof t>[0]>(keys: K[]): [K, string][] {
  return keys.map((key) => [key, t(key)]);
}

function cut(reports: Report[], part: Part): Report[] {
  const end = reports.at(-1)?.step ?? 0;
  const from = part === "whole" ? 0 : part === "half" ? end / 2 : 0.9 * end;
  return reports.filter((report) => report.step >= from);
}

interface Chart {
  name: string;
  unit: string;
  label: string;
  x: number[];
  lines: Line[];
}

function chartsOf(reports: Report[], axis: Axis): Chart[] {
  const keys = new Set<string>();
  for (const report of reports) {
    for (const [key, value] of Object.entries(report)) {
      if (typeof value === "number" && !PLACES.includes(key)) keys.add(key);
    }
  }
  // Where the loss is the bound itself a second chart of it tells nothing.
  const twice = reports.every((r) => typeof r["bound"] !== "number" || close(r["loss"], -(r["bound"] as number)));
  if (keys.has("bound") && twice) keys.delete("loss");
  const sorted = [...keys].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return sorted.map((key) => chartOf(reports, key, axis));
}

function chartOf(reports: Report[], key: string, axis: Axis): Chart {
  const [, phase = "", plain = key] = /^(?:(.*)[/.])?([^/.]*)$/.exec(key) ?? [];
  const [base, unit, sign] = NAMES[plain] ?? [plain.replaceAll("_", " "), "", 1];
  const name = phase ? `${phase}: ${base}` : base;
  const having = reports.filter((report) => typeof report[key] === "number");
  const splits = (["train", "validation", "test"] as const).filter((split) =>
    having.some((report) => (report.split ?? "train") === split),
  );
  const x = having.map((report) => at(report, axis));
  const lines = splits.map((split): Line => {
    const values = having.map((report) =>
      (report.split ?? "train") === split ? sign * (report[key] as number) : null,
    );
    const style = split === "train" ? { colour: "--accent", width: 1.2 } : { colour: "#d55e00", width: 2, points: true };
    return { label: t(split), values, ...style };
  });
  const told = splits.map((split) => {
    const last = having.findLast((report) => (report.split ?? "train") === split)!;
    return t("last", { name: t(split), value: short(sign * (last[key] as number)), step: last.step });
  });
  return { name, unit, label: `${name} ${unit}. ${told.join("; ")}`, x, lines };
}

function at(report: Report, axis: Axis): number {
  if (axis === "epoch") return report.epoch ?? report.step;
  return axis === "minutes" ? (report.seconds ?? 0) / 60 : report.step;
}

function rank(key: string): number {
  const place = ORDER.indexOf(key);
  return place < 0 ? ORDER.length : place;
}

function close(a: unknown, b: number): boolean {
  return typeof a === "number" && Math.abs(a - b) <= 1e-4 * (1 + Math.abs(b));
}

/** All reports as a table, for a spreadsheet. */
function save(reports: Report[], name: string): void {
  const columns = [...new Set(reports.flatMap((report) => Object.keys(report)))];
  const rows = reports.map((report) => columns.map((column) => report[column] ?? "").join(","));
  const file = new Blob([[columns.join(","), ...rows].join("\n")], { type: "text/csv" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
