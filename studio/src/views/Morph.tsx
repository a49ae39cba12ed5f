// From one example to another, and on to a third.
import { useState } from "preact/hooks";
import type { Given, How, Latent, Ref } from "../latent";
import { Example, anySeed, drawsCodes, firstRef, nameOf, useEncoded } from "../parts/Example";
import { Files } from "../parts/Files";
import { Film } from "../parts/Film";
import { GivenFields, firstGiven } from "../parts/Given";
import { Busy, Choice, Slider, Trouble, useFetched } from "../parts/basics";
import { useKept, useSettled } from "../parts/kept";
import { words } from "../words";

const t = words(
  {
    title: "Morph",
    end: "Example {n}",
    add: "Add an example",
    remove: "Remove example {n}",
    how: "Path",
    linear: "straight",
    spherical: "along the arc",
    geodesic: "shortest for the decoder",
    steps: "Steps from one to the next",
    busy: "Looking for the path …",
    moves: "On the way the data move by {length}, in one step by at most {jump}.",
  },
  {
    title: "모핑",
    end: "예제 {n}",
    add: "예제 추가",
    remove: "예제 {n} 빼기",
    how: "경로",
    linear: "직선",
    spherical: "호를 따라",
    geodesic: "디코더가 본 최단 경로",
    steps: "예제 사이의 단계 수",
    busy: "경로를 찾는 중입니다 …",
    moves: "데이터는 경로 전체에서 {length}, 한 단계에서 많아야 {jump}만큼 움직입니다.",
  },
);

const MOST = 6;

export function Morph({ latent }: { latent: Latent }) {
  const { about } = latent;
  const [ends, setEnds] = useState<Ref[]>(() => [firstRef(about), firstRef(about, 1)]);
  const [how, setHow] = useState<How>("linear");
  const [steps, setSteps] = useState(9);
  const [given, setGiven] = useState<Given>(() => (about.encodes ? null : firstGiven(about)));
  // Held-out examples have conditions of their own, draws and uploads have none.
  const own = ends.every((each) => each.kind === "held-out");
  const asked = { ends, how, steps, given: given ?? (own ? null : firstGiven(about)) };
  const settled = useSettled(asked);
  const found = useFetched(
    () => latent.path(settled.ends, settled.how, settled.steps, settled.given).then((path) => ({ path, of: settled })),
    [latent, JSON.stringify(settled)],
  );
  const kept = useKept(found.value);
  const value = kept?.path;
  const names = kept?.path.data.map((_, place) => {
    const end = kept.of.ends[place / (kept.of.steps - 1)];
    return end ? nameOf(end) : "";
  });
  const last = ends.length - 1;
  return (
    <section class="stack">
      <div class="ends">
        {ends.map((end, place) => (
          <End
            key={place}
            latent={latent}
            label={t("end", { n: place + 1 })}
            value={end}
            given={asked.given}
            onChange={(ref) => setEnds(ends.with(place, ref))}
            onRemove={
              ends.length > 2
                ? { label: t("remove", { n: place + 1 }), work: () => setEnds(ends.toSpliced(place, 1)) }
                : null
            }
          />
        ))}
      </div>
      <div class="row bottom">
        <button
          type="button"
          disabled={ends.length >= MOST}
          onClick={() => setEnds([...ends, another(latent, ends[last]!)])}
        >
          {t("add")}
        </button>
        <Choice
          label={t("how")}
          value={how}
          choices={about.ways.map((each) => [each, t(each)] as const)}
          onChange={setHow}
        />
        <div class="wide">
          <Slider
            label={t("steps")}
            value={steps}
            low={3}
            high={25}
            step={1}
            shown={String(steps)}
            onInput={setSteps}
          />
        </div>
      </div>
      <GivenFields about={about} value={asked.given} onChange={setGiven} any={own} />
      <Trouble error={found.error} />
      {!found.value && !found.error && <Busy>{t("busy")}</Busy>}
      {value && (
        <>
          <Film data={value.data} names={names ?? []} />
          {value.length !== null && (
            <p class="soft small">
              {t("moves", { length: value.length.toPrecision(3), jump: (value.jump ?? 0).toPrecision(3) })}
            </p>
          )}
        </>
      )}
      <Files latent={latent} asked={kept ? { what: "path", ...kept.of } : null} name="morph" />
    </section>
  );
}
Morph.title = () => t("title");

interface EndProps {
  latent: Latent;
  label: string;
  value: Ref;
  given: Given;
  onChange: (ref: Ref) => void;
  onRemove: { label: string; work: () => void } | null;
}

function End({ latent, label, value, given, onChange, onRemove }: EndProps) {
  const found = useEncoded(latent, value, given);
  return (
    <div class="card end-card">
      <Example
        latent={latent}
        label={label}
        value={value}
        onChange={onChange}
        shown={found.value && (found.value.original ?? found.value.reconstruction)}
        error={found.error}
        size={72}
      />
      {onRemove && (
        <button type="button" class="corner" aria-label={onRemove.label} onClick={onRemove.work}>
          ✕
        </button>
      )}
    </div>
  );
}

function another(latent: Latent, last: Ref): Ref {
  const { about } = latent;
  if (last.kind === "held-out") return firstRef(about, last.number + 1);
  return drawsCodes(about) ? { kind: "prior", seed: anySeed() } : last;
}
