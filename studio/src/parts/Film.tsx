// Data in a row, to be scrubbed through and played: what lies between two examples.
import { useEffect, useState } from "preact/hooks";
import type { Datum } from "../latent";
import { words } from "../words";
import { Show } from "./Show";

const t = words(
  { at: "Place on the way", play: "Play", stop: "Stop", step: "step {n} of {of}" },
  { at: "경로의 위치", play: "재생", stop: "정지", step: "{of}단계 중 {n}단계" },
);

interface FilmProps {
  data: Datum[];
  size?: number;
  /** Below which pictures stand the names of the ends. */
  names?: string[];
}

const FRAME_MS = 120;

export function Film({ data, size = 224, names }: FilmProps) {
  const [at, setAt] = useState(0);
  const [playing, setPlaying] = useState(false);
  const last = data.length - 1;
  // There and back again.
  const shown = Math.min(at <= last ? at : 2 * last - at, last);
  useEffect(() => {
    if (!playing || last < 1) return;
    const timer = setInterval(() => setAt((before) => (before + 1) % (2 * last)), FRAME_MS);
    return () => clearInterval(timer);
  }, [playing, last]);
  const here = data[shown];
  if (!here) return null;
  return (
    <div class="film">
      <div class="film-stage">
        <Show datum={here} size={size} label={t("step", { n: shown + 1, of: data.length })} />
        <div class="row tight">
          {last > 0 && (
            <button type="button" onClick={() => setPlaying(!playing)}>
              {t(playing ? "stop" : "play")}
            </button>
          )}
          <input
            type="range"
            aria-label={t("at")}
            min={0}
            max={last}
            step={1}
            value={shown}
            onInput={(event) => {
              setPlaying(false);
              setAt(event.currentTarget.valueAsNumber);
            }}
          />
        </div>
      </div>
      {here.kind !== "row" && here.kind !== "sound" && (
        <div class="strip" role="group">
          {data.map((each, place) => (
            <button
              key={place}
              type="button"
              class="bare"
              aria-pressed={place === shown}
              aria-label={t("step", { n: place + 1, of: data.length })}
              onClick={() => {
                setPlaying(false);
                setAt(place);
              }}
            >
              <Show datum={each} size={64} />
              {names?.[place] ? <span class="small soft">{names[place]}</span> : null}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
