// Others like this one: draws of its posterior, its neighbours; and those like no other.
import { useState } from "preact/hooks";
import type { By, Found, Given, Latent, Ref } from "../latent";
import { Example, anySeed, firstRef, useEncoded } from "../parts/Example";
import { Files } from "../parts/Files";
import { GivenFields, firstGiven, givenOf } from "../parts/Given";
import { Show } from "../parts/Show";
import { Busy, Choice, Slider, Trouble, useFetched } from "../parts/basics";
import { useKept, useSettled } from "../parts/kept";
import { words } from "../words";

const t = words(
  {
    title: "Like this",
    example: "Example",
    vary: "Like this one, but different",
    varyWhy: "Decoded draws of the posterior q(z|x): what the model cannot tell from this one.",
    spread: "Spread",
    again: "Draw others",
    variation: "variation {n}",
    near: "Nearest held-out examples",
    odd: "Those that fit least",
    by: "By",
    code: "distance of codes",
    reconstruction: "reconstruction",
    bound: "bound on −log p(x)",
    searched: "Of {n} held-out examples; above as they came, below as the model has them.",
    choose: "Choose held-out {n}",
  },
  {
    title: "닮은 예제",
    example: "예제",
    vary: "닮았지만 다른 것",
    varyWhy: "사후분포 q(z|x)에서 뽑아 복원한 결과입니다. 모델이 이 예제와 구별하지 못하는 것들입니다.",
    spread: "퍼짐",
    again: "다시 뽑기",
    variation: "변형 {n}",
    near: "가장 가까운 평가용 예제",
    odd: "가장 맞지 않는 예제",
    by: "기준",
    code: "코드 사이의 거리",
    reconstruction: "재구성",
    bound: "−log p(x)의 상한",
    searched: "평가용 예제 {n}개 가운데입니다. 위는 원본, 아래는 모델의 재구성입니다.",
    choose: "평가용 {n}번 고르기",
  },
);

const MANY = 12;

export function LikeThis({ latent }: { latent: Latent }) {
  const { about } = latent;
  const [ref, setRef] = useState<Ref>(() => firstRef(about));
  const [given, setGiven] = useState<Given>(() => firstGiven(about));
  const { value: start, error } = useEncoded(latent, ref, given);
  const asked = { ref, given: givenOf(ref, given) };
  const datum = ref.kind === "held-out" || ref.kind === "upload";
  const choose = (number: number) => setRef({ kind: "held-out", number });
  return (
    <section class="stack">
      <div class="card">
        <Example
          latent={latent}
          label={t("example")}
          value={ref}
          onChange={setRef}
          shown={start && (start.original ?? start.reconstruction)}
          error={error}
        />
        {(ref.kind === "upload" || ref.kind === "prior") && (
          <GivenFields about={about} value={given} onChange={setGiven} />
        )}
      </div>
      {about.varies && latent.vary && datum && <Variations latent={latent} asked={asked} />}
      {latent.search && about.held_out > 1 && (
        <>
          <Searched latent={latent} asked={asked} onChoose={choose} />
          <Searched latent={latent} asked={{ ref: null, given: null }} onChoose={choose} />
        </>
      )}
    </section>
  );
}
LikeThis.title = () => t("title");

function Variations({ latent, asked }: { latent: Latent; asked: { ref: Ref; given: Given } }) {
  const [spread, setSpread] = useState(1);
  const [seed, setSeed] = useState(0);
  const whole = { ...asked, n: MANY, spread, seed };
  const settled = useSettled(whole);
  const found = useFetched(() => latent.vary!(settled), [latent, JSON.stringify(settled)]);
  const value = useKept(found.value);
  const real = latent.about.dimensions.length > 0;
  return (
    <section class="card stack">
      <h2>{t("vary")}</h2>
      <p class="soft small">{t("varyWhy")}</p>
      <div class="row bottom">
        {real && (
          <div class="wide">
            <Slider label={t("spread")} value={spread} low={0.25} high={4} step={0.05} onInput={setSpread} />
          </div>
        )}
        <button type="button" onClick={() => setSeed(anySeed())}>
          {t("again")}
        </button>
      </div>
      <Trouble error={found.error} />
      {!value && !found.error && <Busy />}
      <div class="samples">
        {value?.data.map((each, place) => (
          <Show key={place} datum={each} size={80} label={t("variation", { n: place + 1 })} />
        ))}
      </div>
      <Files latent={latent} asked={value ? { what: "vary", ...settled } : null} name="variations" />
    </section>
  );
}

interface SearchedProps {
  latent: Latent;
  asked: { ref: Ref | null; given: Given };
  onChoose: (number: number) => void;
}

function Searched({ latent, asked, onChoose }: SearchedProps) {
  const ways = waysOf(latent, asked.ref !== null);
  const [by, setBy] = useState<By>(ways[0] ?? "auto");
  const whole = { ...asked, by, k: 8 };
  const found = useFetched(() => latent.search!(whole), [latent, JSON.stringify(whole)]);
  const value = useKept(found.value);
  return (
    <section class="card stack">
      <h2>{t(asked.ref ? "near" : "odd")}</h2>
      {ways.length > 1 && (
        <div class="row">
          <Choice
            label={t("by")}
            value={by}
            choices={ways.map((each) => [each, t(each === "auto" ? "code" : each)] as const)}
            onChange={setBy}
          />
        </div>
      )}
      <Trouble error={found.error} />
      {!found.value && !found.error && <Busy />}
      {value && <Items found={value} onChoose={onChoose} />}
      <Files latent={latent} asked={value ? { what: "search", ...whole } : null} name="found" />
    </section>
  );
}

function Items({ found, onChoose }: { found: Found; onChoose: (number: number) => void }) {
  return (
    <>
      <div class="samples">
        {found.items.map((each) => (
          <div key={each.position} class="labelled">
            <Show datum={each.original} size={80} label={t("choose", { n: each.position })} />
            {each.original.kind === "image" && <Show datum={each.reconstruction} size={80} />}
            <button type="button" class="small" aria-label={t("choose", { n: each.position })} onClick={() => onChoose(each.position)}>
              {each.position}
            </button>
            <span class="small soft">
              {Number(each.score.toPrecision(3))}{found.unit === "nats" ? " nats" : ""}
            </span>
          </div>
        ))}
      </div>
      <p class="soft small">{t("searched", { n: found.searched.toLocaleString() })}</p>
    </>
  );
}

/** By what can be searched: neighbours never by a bound, anomalies by what the model has. */
function waysOf(latent: Latent, near: boolean): By[] {
  const { about } = latent;
  if (near) return ["code", "reconstruction"];
  const found: By[] = [];
  if (about.colours.includes("bound")) found.push("bound");
  if (about.colours.includes("error")) found.push("reconstruction");
  if (about.tools.includes("map")) found.push("code");
  return found.length ? found : ["auto"];
}
