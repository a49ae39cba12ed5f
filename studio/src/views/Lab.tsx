// The lab: a density of the plane, a model, and how the one learns the other, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { AsCode, Busy, Download, Trouble, useFetched } from "../parts/basics";
import { Charts } from "../lab/Charts";
import type { Experiment } from "../lab/tries";
import { Experiments } from "../lab/Experiments";
import { Pad } from "../lab/Pad";
import { Session } from "../lab/session";
import { Densities, Models, Numbers } from "../lab/Settings";
import { t as labels, type Word } from "../lab/labels";
import { type Choices, type LabAbout, LIVE, type Model, type Pair } from "../lab/types";
import { Watch } from "../lab/Watch";
import { route } from "../route";
import { get } from "../server";
import { words } from "../words";

const t = words(
  {
    title: "Lab",
    lead: "Models of two numbers, trained on this machine by the library while you look.",
    play: "Play",
    pause: "Pause",
    step: "One step",
    reset: "Reset",
    stride: "Speed",
    slowly: "slowly",
    perPicture: "{n} steps a picture",
    onePerPicture: "1 step a picture",
    at: "step {step}",
    iteration: "iteration {step}",
    speed: "{speed} steps/s",
    pace: "{pace} pictures/s",
    done: "converged",
    samples: "Samples",
    points: "Points",
    draw: "Draw something, then train on it.",
    soon: "At step {step} this changes: {what}.",
  },
  {
    title: "실험실",
    lead: "숫자 두 개짜리 데이터를, 보고 있는 동안 이 컴퓨터에서 라이브러리가 학습합니다.",
    play: "시작",
    pause: "멈춤",
    step: "한 스텝",
    reset: "처음부터",
    stride: "속도",
    slowly: "천천히",
    perPicture: "그림마다 {n}스텝",
    onePerPicture: "그림마다 1스텝",
    at: "{step}스텝",
    iteration: "{step}번째 반복",
    speed: "초당 {speed}스텝",
    pace: "초당 그림 {pace}장",
    done: "수렴함",
    samples: "샘플",
    points: "점",
    draw: "무언가를 그린 뒤 학습하세요.",
    soon: "{step}스텝에서 바뀝니다: {what}.",
  },
);

/** Steps before what an experiment changes is changed. */
const LATER = 800;

export function Lab() {
  const { value: about, error } = useFetched(() => get<LabAbout>("lab"), []);
  if (error) return <Trouble error={error} />;
  return about ? <Bench about={about} /> : <Busy />;
}
Lab.title = () => t("title");

function first(about: LabAbout): Choices {
  const { query } = route.peek();
  const model = (query.get("model") ?? "vae") as Model;
  const density = query.get("density") ?? "ring";
  const known = model in about.models ? model : "vae";
  const base = about.models[known].defaults as Choices;
  return { ...base, model: known, density: density in about.densities ? density : "ring" };
}

function Bench({ about }: { about: LabAbout }) {
  const session = useMemo(() => new Session(), []);
  const [choices, setChoices] = useState(() => first(about));
  const [strokes, setStrokes] = useState<Pair[][]>([]);
  const [drawing, setDrawing] = useState(false);
  const [experiment, setExperiment] = useState<Experiment | null>(null);
  const [soon, setSoon] = useState<Partial<Choices> | null>(null);
  const later = useRef(0);

  const begin = (wanted: Choices, running: boolean, lines = strokes) => {
    clearTimeout(later.current);
    void session.begin(wanted, lines, running);
  };

  useEffect(() => {
    begin(choices, false);
    const gone = () => session.end();
    addEventListener("pagehide", gone);
    return () => {
      removeEventListener("pagehide", gone);
      session.end();
    };
  }, []);

  const change = (changed: Partial<Choices>) => {
    let wanted = { ...choices, ...changed };
    if (changed.model && changed.model !== choices.model) {
      const { density, points, seed, brush } = choices;
      wanted = { ...(about.models[changed.model].defaults as Choices), ...changed, density, points, seed, brush };
    }
    setChoices(wanted);
    setSoon(null);
    setExperiment(null);
    if (changed.density) setDrawing(changed.density === "drawn");
    if (Object.keys(changed).every((name) => LIVE.includes(name as (typeof LIVE)[number]))) {
      void session.change(changed);
    } else if (wanted.density !== "drawn" || (strokes.length && !changed.density)) {
      // A slider on its way brings many values.
      clearTimeout(later.current);
      const running = session.running.peek();
      later.current = window.setTimeout(() => begin(wanted, running), changed.density || changed.model ? 0 : 250);
    }
  };

  const choose = (chosen: Experiment) => {
    const wanted = { ...(about.models[chosen.model].defaults as Choices), ...chosen.choices, model: chosen.model };
    const same = (["model", "density", "latent", "components", "loss"] as const).every((name) => wanted[name] === choices[name]);
    setExperiment(chosen);
    setDrawing(false);
    if (chosen.live && same && (session.frame.peek()?.step ?? 0) >= LATER / 2) {
      setChoices({ ...choices, ...chosen.live });
      setSoon(null);
      void session.change(chosen.live).then(() => session.play(true));
    } else {
      setChoices(wanted);
      setSoon(chosen.live ?? null);
      begin(wanted, true);
    }
  };

  const told = session.told.value;
  const frame = session.frame.value;
  const step = frame?.step ?? 0;
  useEffect(() => {
    if (!soon || step < LATER) return;
    setSoon(null);
    setChoices((before) => ({ ...before, ...soon }));
    void session.change(soon);
  }, [soon, step >= LATER]);

  const name = `${choices.model}-${choices.density}`;
  return (
    <div class="lab">
      <h1>{t("title")}</h1>
      <p class="soft">{t("lead")}</p>
      <Densities {...{ about, choices }} onChange={change} />
      <Experiments chosen={experiment} onChoose={choose} />
      {soon && (
        <p class="small">
          {t("soon", {
            step: LATER,
            what: Object.entries(soon)
              .map(([key, value]) => `${labels(said(key, choices.model))} ${value}`)
              .join(", "),
          })}
        </p>
      )}
      <Trouble error={session.error.value} />
      <div class="bench">
        <aside class="card">
          <Models {...{ about, choices }} onChange={change} />
          <Transport {...{ session, choices }} onChange={change} onReset={() => begin(choices, session.running.peek())} />
          <details open={innerWidth > 736}>
            <summary>{labels("choices")}</summary>
            <Numbers {...{ about, choices }} onChange={change} />
          </details>
        </aside>
        <div class="stage">
          {drawing && (
            <section class="card">
              {!strokes.length && <p>{t("draw")}</p>}
              <Pad
                strokes={strokes}
                brush={choices.brush}
                onBrush={(brush) => setChoices({ ...choices, brush })}
                onDrawn={setStrokes}
                onUse={() => {
                  setDrawing(false);
                  begin(choices, true);
                }}
              />
            </section>
          )}
          {!drawing && told && <Watch model={choices.model} name={name} told={told} frame={frame} />}
          {!drawing && told && <Charts model={choices.model} loss={choices.loss} told={told} places={session.places.value} />}
        </div>
      </div>
      {told && <Taken session={session} name={name} step={step} running={session.running.value} />}
    </div>
  );
}

function said(choice: string, model: Model): Word {
  if (choice === "rate") return model === "gan" ? "discriminator_rate" : "critic_rate";
  return choice as Word;
}

interface TransportProps {
  session: Session;
  choices: Choices;
  onChange: (changed: Partial<Choices>) => void;
  onReset: () => void;
}

const STRIDES = [1, 2, 5, 10, 20, 50, 100];

function Transport({ session, choices, onChange, onReset }: TransportProps) {
  const frame = session.frame.value;
  const running = session.running.value;
  const mixture = choices.model === "gmm";
  const step = (frame?.step ?? 0).toLocaleString("en");
  return (
    <div class="transport">
      <div class="row">
        <button type="button" class="first" id="lab-play" disabled={!frame || frame.done} onClick={() => session.play(!running)}>
          {running ? `❚❚ ${t("pause")}` : `▶ ${t("play")}`}
        </button>
        <button type="button" disabled={!frame || frame.done} onClick={() => session.step(1)}>
          {t("step")}
        </button>
        <button type="button" onClick={onReset}>
          {t("reset")}
        </button>
      </div>
      <label class="field">
        <span>{t("stride")}</span>
        <select
          value={choices.slow > 0 ? "slow" : String(choices.stride)}
          onChange={(event) => {
            const value = event.currentTarget.value;
            onChange(value === "slow" ? { stride: 1, slow: mixture ? 0.25 : 0.3 } : { stride: Number(value), slow: 0 });
          }}
        >
          <option value="slow">{t("slowly")}</option>
          {STRIDES.map((each) => (
            <option key={each} value={each}>
              {each === 1 ? t("onePerPicture") : t("perPicture", { n: each })}
            </option>
          ))}
        </select>
      </label>
      <p class="small reading">
        <output id="lab-step">{t(mixture ? "iteration" : "at", { step })}</output>
        {frame?.done ? ` · ${t("done")}` : ""}
        {running && ` · ${t("speed", { speed: Math.round(frame?.speed ?? 0) })} · ${t("pace", { pace: session.pace.value.toFixed(0) })}`}
      </p>
    </div>
  );
}

function Taken({ session, name, step, running }: { session: Session; name: string; step: number; running: boolean }) {
  const [code, setCode] = useState("");
  const told = session.told.value;
  // While it trains the number of steps in it would change all the time: every now and then is enough.
  useEffect(() => {
    void session.code().then(setCode, () => undefined);
  }, [told, running, Math.floor(step / 1000)]);
  return (
    <section>
      <div class="row">
        <Download href={session.file("samples.npy")} name={`${name}.npy`} label={`${t("samples")} .npy`} />
        <Download href={session.file("samples.csv")} name={`${name}.csv`} label={`${t("samples")} .csv`} />
        <Download href={session.file("points.npy")} name={name.endsWith("drawn") ? "drawn.npy" : "points.npy"} label={`${t("points")} .npy`} />
      </div>
      <AsCode code={code} />
    </section>
  );
}
