// How a held-out sequence may go on: mean, interval and paths, beside what really came.
import { useState } from "preact/hooks";
import type { Forecast as Found, Latent } from "../latent";
import { Curves, type Line } from "../parts/Curves";
import { HeldOut, anySeed } from "../parts/Example";
import { Files } from "../parts/Files";
import { Show } from "../parts/Show";
import { Busy, Choice, Slider, Trouble, useFetched } from "../parts/basics";
import { useKept, useSettled } from "../parts/kept";
import { words } from "../words";

const t = words(
  {
    title: "Forecast",
    at: "Steps given",
    horizon: "Steps ahead",
    again: "Draw others",
    column: "Shown",
    step: "step",
    given: "data, given",
    truth: "data, not given",
    mean: "forecast, mean",
    low: "lower end of {n} %",
    high: "upper end of {n} %",
    path: "a path",
    chart: "Forecast of {name} from step {at}, {n} steps ahead",
    data: "data",
    draw: "going on {n}",
    films: "After {n} frames each clip goes on by itself.",
  },
  {
    title: "예측",
    at: "주어진 단계 수",
    horizon: "예측할 단계 수",
    again: "다시 뽑기",
    column: "표시할 열",
    step: "단계",
    given: "주어진 데이터",
    truth: "주어지지 않은 데이터",
    mean: "예측 평균",
    low: "{n}% 구간의 아래 끝",
    high: "{n}% 구간의 위 끝",
    path: "표본 경로",
    chart: "{at}단계부터 {n}단계 앞까지 {name} 예측",
    data: "데이터",
    draw: "이어진 결과 {n}",
    films: "{n}프레임 다음부터는 모델이 이어 갑니다.",
  },
);

const PATHS = 3; // that are drawn; the interval is of all of them
const SAMPLES = 100;
const FARTHEST = 4; // times the length of the data

export function Forecast({ latent }: { latent: Latent }) {
  const { about } = latent;
  const steps = about.event_shape[0] ?? 2;
  const [number, setNumber] = useState(0);
  const [at, setAt] = useState(Math.max(1, Math.ceil(steps / 2)));
  const [horizon, setHorizon] = useState(Math.max(1, Math.floor(steps / 2)));
  const [seed, setSeed] = useState(0);
  const asked = { number, at, horizon, samples: SAMPLES, seed };
  const settled = useSettled(asked);
  const found = useFetched(() => latent.forecast!(settled), [latent, JSON.stringify(settled)]);
  const value = useKept(found.value);
  return (
    <section class="stack">
      <div class="row bottom">
        <HeldOut
          count={about.held_out}
          value={{ kind: "held-out", number }}
          onChange={(ref) => ref.kind === "held-out" && setNumber(ref.number)}
        />
        <div class="wide">
          <Slider label={t("at")} value={at} low={1} high={steps} step={1} shown={String(at)} onInput={setAt} />
        </div>
        <div class="wide">
          <Slider
            label={t("horizon")}
            value={horizon}
            low={1}
            high={Math.min(1000, FARTHEST * steps)}
            step={1}
            shown={String(horizon)}
            onInput={setHorizon}
          />
        </div>
        <button type="button" onClick={() => setSeed(anySeed())}>
          {t("again")}
        </button>
        {!found.value && !found.error && <Busy />}
      </div>
      <Trouble error={found.error} />
      {value?.series && <Series found={value} series={value.series} />}
      {value?.films && <Films found={value} films={value.films} />}
      <Files
        latent={latent}
        asked={value ? { what: "forecast", ...settled } : null}
        suffixes={value?.films ? [".gif", ".png", ".npy"] : [".png", ".npy"]}
        name="forecast"
      />
    </section>
  );
}
Forecast.title = () => t("title");

function Series({ found, series }: { found: Found; series: NonNullable<Found["series"]> }) {
  const { names } = series;
  const [column, setColumn] = useState(0);
  const shown = Math.min(column, names.length - 1);
  const name = names[shown] ?? "";
  const of = (steps: (number | null)[][]) => steps.map((row) => row[shown] ?? null);
  // The forecast begins where the data were left.
  const before = Array<null>(found.at).fill(null);
  const ahead = (steps: (number | null)[][]) => [...before, ...of(steps)];
  const percent = Math.round(100 * found.level);
  const lines: Line[] = [
    { label: t("given"), colour: "--ink", width: 1.5, values: of(series.past) },
    { label: t("truth"), colour: "--soft", dash: [4, 3], values: ahead(series.truth) },
    { label: t("mean"), colour: "--accent", width: 2, values: ahead(series.mean) },
    { label: t("high", { n: percent }), colour: "--accent", width: 0.5, values: ahead(series.high) },
    { label: t("low", { n: percent }), colour: "--accent", width: 0.5, values: ahead(series.low) },
    ...series.draws.slice(0, PATHS).map((draw) => ({
      label: t("path"), colour: "#e69f00", width: 0.8, values: ahead(draw),
    })),
  ];
  const length = found.at + Math.max(found.horizon, series.truth.length);
  const filled = lines.map((line) => ({
    ...line,
    values: [...line.values, ...Array<null>(length - line.values.length).fill(null)],
  }));
  return (
    <div class="card stack">
      {names.length > 1 && (
        <div class="row">
          <Choice
            label={t("column")}
            value={String(shown)}
            choices={names.map((each, place) => [String(place), each] as const)}
            onChange={(place) => setColumn(Number(place))}
          />
        </div>
      )}
      <Curves
        label={t("chart", { name, at: found.at, n: found.horizon })}
        x={Array.from({ length }, (_, step) => step + 1)}
        xLabel={t("step")}
        lines={filled}
        log={false}
        height={360}
        band={[3, 4]}
      />
    </div>
  );
}

function Films({ found, films }: { found: Found; films: NonNullable<Found["films"]> }) {
  return (
    <div class="card stack">
      <p class="soft small">{t("films", { n: found.at })}</p>
      <div class="samples">
        <Show datum={films.data} size={160} label={t("data")} />
        {films.draws.map((draw, place) => (
          <Show key={place} datum={draw} size={160} label={t("draw", { n: place + 1 })} />
        ))}
      </div>
    </div>
  );
}
