// Lines over a common axis, drawn by uPlot: drag to zoom, double click to see all again.
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { colour, painted } from "../theme";

export interface Line {
  label: string;
  /** A colour of the style sheet or of CSS. */
  colour: string;
  dash?: number[];
  width?: number;
  points?: boolean;
  /** One for each place on the axis. */
  values: (number | null)[];
}

interface CurvesProps {
  /** What is drawn, for those who do not see it; with its last values. */
  label: string;
  x: number[];
  /** What stands at the axis. */
  xLabel: string;
  lines: Line[];
  log: boolean;
  height?: number;
  /** Numbers of two lines between which it is tinted, the upper one first. */
  band?: readonly [number, number];
  /** Charts of one name move their cursors together. */
  together?: string;
}

export function Curves({ label, x, xLabel, lines, log, height = 220, band, together }: CurvesProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const names = lines.map((line) => `${line.label}/${line.colour}`).join("|");
  const repainted = painted.value;

  useEffect(() => {
    const box = place.current!;
    const made = new uPlot(
      options({ xLabel, lines, log, height, band, together, width: box.clientWidth || 300 }),
      data(x, lines, log),
      box,
    );
    plot.current = made;
    rest(made);
    const watch = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, xLabel, log, height, repainted]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    const shown = made.scales.x;
    const before = made.data[0];
    const all = shown?.min == null || (shown.min <= (before[0] ?? 0) && (shown.max ?? 0) >= (before.at(-1) ?? 0));
    // Whoever has zoomed in keeps looking there while more comes.
    made.setData(data(x, lines, log), all);
    if (!all) made.redraw(true, true);
    rest(made);
  }, [x, lines]);

  return <div class="curves" ref={place} role="img" aria-label={label} />;
}

/** Where no cursor is, the legend tells the last value of each line. */
function rest(made: uPlot): void {
  if (made.cursor.idx != null) return;
  const idxs = made.data.map((values) => values.findLastIndex((value) => value != null));
  made.setLegend({ idxs }, false);
}

function data(x: number[], lines: Line[], log: boolean): uPlot.AlignedData {
  const kept = (value: number | null) => (value !== null && (!log || value > 0) ? value : null);
  return [x, ...lines.map((line) => line.values.map(kept))];
}

interface Made {
  xLabel: string;
  lines: Line[];
  log: boolean;
  height: number;
  band: readonly [number, number] | undefined;
  together: string | undefined;
  width: number;
}

function options({ xLabel, lines, log, height, band, together, width }: Made): uPlot.Options {
  const soft = colour("--soft");
  const line = colour("--line");
  const axis: uPlot.Axis = {
    stroke: soft,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
  };
  return {
    width,
    height,
    scales: { x: { time: false }, y: log ? { distr: 3, log: 10 } : {} },
    axes: [
      { ...axis, label: xLabel, labelSize: 18, size: 34 },
      { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : short(tick))) },
    ],
    legend: { live: true },
    ...(band ? { bands: [{ series: [band[0] + 1, band[1] + 1], fill: `${colour("--accent")}22` }] } : {}),
    hooks: { setCursor: [rest] },
    cursor: { drag: { x: true, y: true, uni: 20 }, ...(together ? { sync: { key: together } } : {}) },
    series: [
      { label: xLabel, value: (_, value) => (value == null ? "–" : short(value)) },
      ...lines.map((each) => ({
        label: each.label,
        stroke: each.colour.startsWith("--") ? colour(each.colour) : each.colour,
        width: each.width ?? 1.5,
        spanGaps: true,
        points: { show: each.points ?? false, size: 5 },
        value: (_: uPlot, value: number | null) => (value == null ? "–" : short(value)),
        ...(each.dash ? { dash: each.dash } : {}),
      })),
    ],
  };
}

/** No more figures than can be told apart on an axis. */
export function short(value: number): string {
  const size = Math.abs(value);
  const text =
    size !== 0 && (size >= 1e6 || size < 1e-3)
      ? value.toExponential(1)
      : Number(value.toPrecision(5)).toLocaleString("en", { maximumFractionDigits: 4 });
  return text.replace("-", "−");
}
