// A slider for each dimension of a code; the picture follows the finger.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Datum, Dimension, Given, Latent, Ref } from "../latent";
import { Example, anySeed, drawsCodes, firstRef, useEncoded } from "../parts/Example";
import { Files } from "../parts/Files";
import { GivenFields, firstGiven } from "../parts/Given";
import { Show } from "../parts/Show";
import { Slider, Trouble } from "../parts/basics";
import { latest } from "../server";
import { words } from "../words";

const t = words(
  {
    title: "Sliders",
    why: "Each slider moves one number of the code; those that say the most about the data come first.",
    start: "Start from",
    decoded: "Decoded",
    reset: "Reset",
    random: "Random code",
    copy: "Copy code",
    copied: "Copied",
    all: "Show all {n} dimensions",
    rate: "{n} nats",
    total: "All dimensions together: {n} nats on average.",
    listed: "Those with a slider together: {n} nats on average.",
    rest: "Only the {n} dimensions that matter most have a slider.",
  },
  {
    title: "슬라이더",
    why: "슬라이더마다 코드의 숫자 하나를 움직입니다. 데이터를 많이 설명하는 차원부터 나옵니다.",
    start: "시작점",
    decoded: "복원 결과",
    reset: "되돌리기",
    random: "무작위 코드",
    copy: "코드 복사",
    copied: "복사됨",
    all: "{n}개 차원 모두 보기",
    rate: "{n} nats",
    total: "모든 차원을 합하면 평균 {n} nats입니다.",
    listed: "슬라이더가 있는 차원을 합하면 평균 {n} nats입니다.",
    rest: "중요한 {n}개 차원만 슬라이더로 움직일 수 있습니다.",
  },
);

const FIRST = 12;

export function Sliders({ latent }: { latent: Latent }) {
  const { about } = latent;
  const [ref, setRef] = useState<Ref>(() => firstRef(about));
  const [given, setGiven] = useState<Given>(() => firstGiven(about));
  const start = useEncoded(latent, ref, given);
  const [code, setCode] = useState<number[] | null>(null);
  const [datum, setDatum] = useState<Datum | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [every, setEvery] = useState(false);

  const decode = useMemo(
    () =>
      latest(
        ([codes, beside]: [number[][], Given]) => latent.decode(codes, beside),
        ([found]) => {
          setDatum(found ?? null);
          setError(null);
        },
        setError,
      ),
    [latent],
  );
  useEffect(() => {
    const found = start.value;
    if (!found) return;
    setCode(found.code);
    setDatum(found.reconstruction);
    if (found.given) {
      setGiven(found.given);
    }
  }, [start.value]);

  const move = (next: number[], beside: Given = given) => {
    setCode(next);
    decode([[next], beside]);
  };
  const shown = every ? about.dimensions : about.dimensions.slice(0, FIRST);
  const total = about.dimensions.reduce((sum, each) => sum + (each.rate ?? 0), 0);
  return (
    <section class="looking">
      <div class="looked card">
        {datum && <Show datum={datum} size={256} label={t("decoded")} />}
        <div class="row tight">
          <button type="button" disabled={!start.value} onClick={() => move(start.value!.code)}>
            {t("reset")}
          </button>
          {drawsCodes(about) && (
            <button type="button" onClick={() => setRef({ kind: "prior", seed: anySeed() })}>
              {t("random")}
            </button>
          )}
          <CopyCode code={code} />
        </div>
        <Trouble error={error} />
      </div>
      <div class="controls">
        <p class="soft small">{t("why")}</p>
        <Example
          latent={latent}
          label={t("start")}
          value={ref}
          onChange={setRef}
          shown={start.value?.original}
          error={start.error}
          size={64}
        />
        <GivenFields
          about={about}
          value={given}
          onChange={(found) => {
            setGiven(found);
            if (code) move(code, found);
          }}
        />
        {code && (
          <div class="sliders">
            {shown.map((each) => (
              <CodeSlider key={each.index} dimension={each} code={code} onMove={move} />
            ))}
          </div>
        )}
        <div class="row small soft">
          {about.dimensions.some((each) => each.rate !== null) && (
            <span>{t(about.dimensions.length < about.width ? "listed" : "total", { n: total.toFixed(1) })}</span>
          )}
          {about.dimensions.length < about.width && (
            <span>{t("rest", { n: about.dimensions.length })}</span>
          )}
        </div>
        {!every && about.dimensions.length > FIRST && (
          <button type="button" onClick={() => setEvery(true)}>
            {t("all", { n: about.dimensions.length })}
          </button>
        )}
        <Files
          latent={latent}
          asked={code && { what: "codes", codes: [code], columns: 1, given }}
          name="decoded"
          shown={datum}
        />
      </div>
    </section>
  );
}
Sliders.title = () => t("title");

interface CodeSliderProps {
  dimension: Dimension;
  code: number[];
  onMove: (code: number[]) => void;
}

function CodeSlider({ dimension, code, onMove }: CodeSliderProps) {
  const { index, mean, deviation, rate } = dimension;
  const value = code[index] ?? 0;
  const half = 3 * (deviation || 1);
  const nats = rate === null ? "" : ` · ${t("rate", { n: rate.toFixed(2) })}`;
  return (
    <Slider
      label={`z${index}${nats}`}
      value={value}
      low={Math.min(mean - half, value)}
      high={Math.max(mean + half, value)}
      onInput={(found) => onMove(code.with(index, found))}
    />
  );
}

export function CopyCode({ code }: { code: number[] | null }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      disabled={!code}
      onClick={async () => {
        await navigator.clipboard.writeText(JSON.stringify(code));
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      }}
    >
      {t(copied ? "copied" : "copy")}
    </button>
  );
}
