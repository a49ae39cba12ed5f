// The datum of the point of a map that the mouse is at.
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { Datum, Latent, MapPoints } from "../latent";
import { Show } from "../parts/Show";
import { latest } from "../server";
import { words } from "../words";

const t = words({ held: "held-out {n}" }, { held: "평가용 {n}번" });

interface PointedProps {
  latent: Latent;
  map: MapPoints;
  /** Of what colours it. */
  name: string;
  children: (onHover: (point: number | null, left: number, top: number) => void) => ComponentChildren;
}

export function Pointed({ latent, map, name, children }: PointedProps) {
  const [at, setAt] = useState<{ point: number; left: number; top: number } | null>(null);
  const [seen, setSeen] = useState<{ position: number; datum: Datum } | null>(null);
  const known = useRef(new Map<number, Datum>());
  const fetchDatum = useMemo(
    () =>
      latest(
        async (position: number) => known.current.get(position) ?? (await latent.datum(position)),
        (datum, position) => {
          known.current.set(position, datum);
          setSeen({ position, datum });
        },
        () => setSeen(null),
      ),
    [latent],
  );
  const position = at ? map.positions[at.point] : undefined;
  const value = at ? map.values?.[at.point] : undefined;
  const word = value === undefined ? "" : (map.classes?.[value] ?? Number(value.toPrecision(4)));
  return (
    <div class="pointed">
      {children((point, left, top) => {
        setAt(point === null ? null : { point, left, top });
        if (point !== null) fetchDatum(map.positions[point]!);
      })}
      {at && position !== undefined && (
        <div class="tip small" style={{ left: `${at.left}px`, top: `${at.top}px` }}>
          {seen?.position === position && <Tip datum={seen.datum} />}
          {t("held", { n: position })}
          <br />
          {name}: {word}
        </div>
      )}
    </div>
  );
}

/** What sounds is only to be seen here: nobody can press a button under the mouse. */
function Tip({ datum }: { datum: Datum }) {
  if (datum.kind === "sound") return <img src={datum.picture} alt="" width={160} />;
  return <Show datum={datum} size={96} />;
}
