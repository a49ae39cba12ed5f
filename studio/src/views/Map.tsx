// Where data lie among the codes: look around, decode anywhere, draw a path and see its film.
import { useMemo, useState } from "preact/hooks";
import type { Datum, Given, Latent, MapOptions, MapPoints } from "../latent";
import { Files } from "../parts/Files";
import { Film } from "../parts/Film";
import { GivenFields, firstGiven } from "../parts/Given";
import { Show } from "../parts/Show";
import { Busy, Choice, Trouble, useFetched, useGrowing } from "../parts/basics";
import { Scatter } from "../scatter/Scatter";
import { type Place, evenly } from "../scatter/camera";
import { coloured } from "../scatter/colours";
import { latest } from "../server";
import { words } from "../words";
import { Legend } from "./MapLegend";
import { Pointed } from "./MapPointed";
import { CopyCode } from "./Sliders";

const t = words(
  {
    title: "Map",
    colour: "Colour",
    method: "Method",
    count: "Points",
    auto: "automatic",
    umap: "UMAP",
    pca: "main components",
    look: "Look around",
    path: "Draw a path",
    clear: "Clear the path",
    here: "Here",
    press: "Press anywhere on the map to decode there; drag to move it, scroll or pinch to zoom.",
    pressDraw: "Drag a line over the map to see the film along it.",
    film: "Along the path",
    told: "The plane shows {n} % of the codes' variance.",
    nothing: "This model decodes no codes without an example; point at one to see it.",
    part: "{n} of {of} …",
    label: "label",
    density: "density",
    bound: "bound, nats",
    error: "error of reconstruction",
  },
  {
    title: "지도",
    colour: "색",
    method: "방법",
    count: "점의 수",
    auto: "자동",
    umap: "UMAP",
    pca: "주성분",
    look: "둘러보기",
    path: "경로 그리기",
    clear: "경로 지우기",
    here: "이 자리",
    press: "지도의 아무 곳이나 누르면 그 자리를 복원합니다. 끌면 이동하고, 스크롤하거나 두 손가락으로 벌리면 확대됩니다.",
    pressDraw: "지도 위에 선을 그으면 그 길을 따라 복원한 영상을 보여 줍니다.",
    film: "경로를 따라",
    told: "이 평면은 코드 분산의 {n}%를 보여 줍니다.",
    nothing: "이 모델은 예제 없이 코드를 복원하지 못합니다. 점을 가리키면 그 예제가 보입니다.",
    part: "{of}개 중 {n}개 …",
    label: "레이블",
    density: "밀도",
    bound: "하한, nats",
    error: "재구성 오차",
  },
);

const FRAMES = 25;
const LIMITS = [500, 2000, 10_000, 20_000];
const KNOWN = ["label", "density", "bound", "error"] as const;

function counted(count: number): string {
  return count.toLocaleString();
}

/** What a colour is called. */
function named(colour: string): string {
  const known = KNOWN.find((each) => each === colour);
  return known ? t(known) : colour;
}

export function MapView({ latent }: { latent: Latent }) {
  const { about } = latent;
  const [options, setOptions] = useState<MapOptions>({
    colour: about.colours[0] ?? null,
    method: "auto",
    limit: Math.min(about.held_out, 2000),
  });
  const found = useGrowing(() => latent.map(options), [latent, JSON.stringify(options)]);
  const map = found.value;
  const set = (changed: Partial<MapOptions>) => setOptions({ ...options, ...changed });
  const limits = LIMITS.filter((each) => each < about.held_out);
  const counts = [...limits, ...(about.held_out <= LIMITS.at(-1)! ? [about.held_out] : [])];
  const methods = [["auto", t("auto")], ["pca", t("pca")], ["umap", t("umap")]] as const;
  return (
    <section class="stack">
      <div class="row bottom">
        {about.colours.length > 0 && (
          <Choice
            label={t("colour")}
            value={options.colour ?? ""}
            choices={about.colours.map((each) => [each, named(each)] as const)}
            onChange={(colour) => set({ colour })}
          />
        )}
        {latent.file && about.width > 2 && (
          <Choice
            label={t("method")}
            value={options.method}
            choices={methods}
            onChange={(method) => set({ method: method as MapOptions["method"] })}
          />
        )}
        {counts.length > 1 && (
          <Choice
            label={t("count")}
            value={String(options.limit)}
            choices={counts.map((each) => [String(each), counted(each)] as const)}
            onChange={(limit) => set({ limit: Number(limit) })}
          />
        )}
        {found.busy && (
          <Busy>{map && map.done < map.of ? t("part", { n: counted(map.done), of: counted(map.of) }) : undefined}</Busy>
        )}
      </div>
      <Trouble error={found.error} />
      {map && <Drawn key={map.method} latent={latent} map={map} />}
      <Files
        latent={latent}
        asked={map ? { what: "map", options } : null}
        suffixes={[".png", ".npy"]}
        name="map"
      />
    </section>
  );
}
MapView.title = () => t("title");

function Drawn({ latent, map }: { latent: Latent; map: MapPoints }) {
  const { about } = latent;
  const { colours, legend } = useMemo(() => coloured(map), [map]);
  const [given, setGiven] = useState<Given>(() => firstGiven(about));
  const [cursor, setCursor] = useState<Place | null>(null);
  const [code, setCode] = useState<number[] | null>(null);
  const [datum, setDatum] = useState<Datum | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [drawing, setDrawing] = useState(false);
  const [path, setPath] = useState<Place[]>([]);
  const [done, setDone] = useState<Place[]>([]);

  const decode = useMemo(
    () =>
      latest(
        async ([place, beside]: [Place, Given]) => {
          const codes = await latent.codesAt([place]);
          return { code: codes[0]!, datum: (await latent.decode(codes, beside))[0]! };
        },
        (here) => {
          setCode(here.code);
          setDatum(here.datum);
          setError(null);
        },
        setError,
      ),
    [latent],
  );
  const go = (x: number, y: number, beside = given) => {
    setCursor([x, y]);
    if (about.decodes) decode([[x, y], beside]);
  };
  const film = useFetched(async () => {
    if (done.length < 2) return null;
    const codes = await latent.codesAt(evenly(done, FRAMES));
    return { codes, data: await latent.decode(codes, given) };
  }, [latent, done, JSON.stringify(given)]);

  return (
    <>
      <div class="mapped">
        <div class="stack">
          {about.decodes && (
            <div class="row tight" role="group">
              <button type="button" aria-pressed={!drawing} onClick={() => setDrawing(false)}>
                {t("look")}
              </button>
              <button type="button" aria-pressed={drawing} onClick={() => setDrawing(true)}>
                {t("path")}
              </button>
              {path.length > 0 && (
                <button
                  type="button"
                  onClick={() => {
                    setPath([]);
                    setDone([]);
                  }}
                >
                  {t("clear")}
                </button>
              )}
            </div>
          )}
          <Pointed latent={latent} map={map} name={named(map.colour)}>
            {(onHover) => (
              <Scatter
                points={map.points}
                colours={colours}
                cursor={cursor}
                path={path}
                drawing={drawing}
                onPlace={go}
                onHover={onHover}
                onPath={(places, finished) => {
                  setPath(places);
                  if (finished) setDone(places);
                }}
              />
            )}
          </Pointed>
          <Legend legend={legend} name={named(map.colour)} />
        </div>
        <aside class="card stack">
          <h2>{t("here")}</h2>
          {datum ? (
            <>
              <Show datum={datum} size={224} label={t("here")} />
              <div class="row tight">
                <span class="small soft">
                  {cursor?.map((value) => Number(value.toPrecision(3))).join(", ")}
                </span>
                <CopyCode code={code} />
              </div>
            </>
          ) : null}
          <p class="soft small">{t(about.decodes ? (drawing ? "pressDraw" : "press") : "nothing")}</p>
          {map.told !== null && (
            <p class="soft small">{t("told", { n: Math.round(100 * map.told) })}</p>
          )}
          <GivenFields
            about={about}
            value={given}
            onChange={(next) => {
              setGiven(next);
              if (cursor) go(...cursor, next);
            }}
          />
          <Trouble error={error} />
        </aside>
      </div>
      <Trouble error={film.error} />
      {film.value && (
        <section class="card stack">
          <h2>{t("film")}</h2>
          <Film data={film.value.data} />
          <Files
            latent={latent}
            asked={{ what: "codes", codes: film.value.codes, columns: film.value.codes.length, given }}
            name="path"
          />
        </section>
      )}
    </>
  );
}
