// Two directions at once: how much of a smile to the right, how old upwards.
import { useState } from "preact/hooks";
import type { About, Directions, Encoded, Given, Latent, Ref } from "../latent";
import { Example, firstRef, useEncoded } from "../parts/Example";
import { Files } from "../parts/Files";
import { GivenFields, firstGiven, givenOf } from "../parts/Given";
import { Show } from "../parts/Show";
import { pythonOfPlane } from "../parts/as_code";
import { Busy, Choice, Trouble, useFetched } from "../parts/basics";
import { useKept } from "../parts/kept";
import { words } from "../words";

const t = words(
  {
    title: "Plane",
    start: "Starting from",
    right: "To the right",
    up: "Upwards",
    why: "Attributes go a whole step to both sides, dimensions over mean ± 2 deviations of the codes of data.",
    same: "Choose two different directions.",
    cell: "row {row}, column {column}",
  },
  {
    title: "평면",
    start: "시작점",
    right: "오른쪽으로",
    up: "위로",
    why: "속성은 양쪽으로 한 단계씩, 차원은 데이터 코드의 평균 ± 표준편차 2배까지 움직입니다.",
    same: "서로 다른 두 방향을 고르세요.",
    cell: "{row}행 {column}열",
  },
);

const SIDE = 7;

export function Plane({ latent }: { latent: Latent }) {
  const { about } = latent;
  const names = axesOf(about);
  const [ref, setRef] = useState<Ref>(() => firstRef(about));
  const [given, setGiven] = useState<Given>(() => firstGiven(about));
  const [chosen, setChosen] = useState<{ right?: string; up?: string }>({});
  const start = useEncoded(latent, ref, given);
  const directions = useFetched(() => latent.directions(), [latent]);
  // Until somebody chooses: what codes tell well.
  const vague = new Set(directions.value?.names.filter((_, place) => directions.value?.vague[place]));
  const clear = names.filter((name) => !vague.has(name));
  const right = chosen.right ?? clear[0] ?? "0";
  const up = chosen.up ?? clear[1] ?? "1";
  const found = useFetched(async () => {
    if (!start.value || directions.value === undefined || right === up) return null;
    const codes = grid(about, start.value, directions.value, right, up);
    const beside = start.value.given ?? givenOf(ref, given);
    return { codes, given: beside, data: await latent.decode(codes, beside) };
  }, [latent, start.value, directions.value, right, up]);
  const value = useKept(found.value ?? undefined);
  const choices = names.map((name) => [name, labelOf(name)] as const);
  return (
    <section class="stack">
      <Example latent={latent} label={t("start")} value={ref} onChange={setRef}
        shown={start.value && (start.value.original ?? start.value.reconstruction)} error={start.error} size={64} />
      <GivenFields about={about} value={given} onChange={setGiven} />
      <div class="row">
        <Choice label={t("right")} value={right} choices={choices} onChange={(name) => setChosen({ ...chosen, right: name })} />
        <Choice label={t("up")} value={up} choices={choices} onChange={(name) => setChosen({ ...chosen, up: name })} />
      </div>
      <p class="soft small">{right === up ? t("same") : t("why")}</p>
      <Trouble error={directions.error ?? found.error} />
      {!value && !found.error && <Busy />}
      {value && (
        <div class="code-plane">
          <span class="up small">{labelOf(up)} ↑</span>
          <div class="cells" style={{ gridTemplateColumns: `repeat(${SIDE}, minmax(0, 1fr))` }}>
            {value.data.map((each, place) => (
              <Show key={place} datum={each} size={88}
                label={t("cell", { row: Math.floor(place / SIDE) + 1, column: (place % SIDE) + 1 })} />
            ))}
          </div>
          <span class="right small">{labelOf(right)} →</span>
        </div>
      )}
      <Files latent={latent} name="plane"
        asked={value ? { what: "codes", codes: value.codes, columns: SIDE, given: value.given } : null}
        code={pythonOfPlane(about, ref, right, up, SIDE, givenOf(ref, given))} />
    </section>
  );
}
Plane.title = () => t("title");

/** Attributes by their names, dimensions by their numbers, as `lowerbound plane` takes them. */
function axesOf(about: About): string[] {
  const named = about.attributes.filter((name) => !isNumber(name)); // classes 0 to 9 are none
  return [...named, ...about.dimensions.map((each) => String(each.index))];
}

function labelOf(name: string): string {
  return isNumber(name) ? `z${name}` : name;
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}

/** Row by row from the top left, as `exploring.plane` lays them out. */
function grid(about: About, start: Encoded, directions: Directions | null, right: string, up: string): number[][] {
  const across = stepsOf(about, start, directions, right);
  const along = stepsOf(about, start, directions, up).reverse();
  return along.flatMap((b) => across.map((a) => start.code.map((value, d) => value + a[d]! + b[d]!)));
}

function stepsOf(about: About, start: Encoded, directions: Directions | null, name: string): number[][] {
  const shares = Array.from({ length: SIDE }, (_, place) => (2 * place) / (SIDE - 1) - 1);
  const attribute = directions && !isNumber(name) ? directions.names.indexOf(name) : -1;
  if (directions && attribute >= 0) {
    const natural = directions.natural[attribute] ?? 0;
    return shares.map((share) => (directions.vectors[attribute] ?? []).map((v) => share * natural * v));
  }
  const index = Number(name);
  const dimension = about.dimensions.find((each) => each.index === index);
  return shares.map((share) =>
    start.code.map((value, d) =>
      d === index && dimension ? dimension.mean + 2 * dimension.deviation * share - value : 0,
    ),
  );
}
