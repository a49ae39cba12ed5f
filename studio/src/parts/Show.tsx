// A datum of any kind: pictures are shown, films move, sound plays, rows are bars.
import type { Datum } from "../latent";
import { words } from "../words";

const t = words(
  { image: "decoded picture", film: "decoded film", sound: "decoded sound", row: "decoded row" },
  { image: "복원된 그림", film: "복원된 영상", sound: "복원된 소리", row: "복원된 행" },
);

interface ShowProps {
  datum: Datum;
  /** Of the longer side, in CSS pixels. */
  size?: number;
  label?: string;
}

export function Show({ datum, size = 128, label }: ShowProps) {
  switch (datum.kind) {
    case "image":
    case "film": {
      const scale = size / Math.max(datum.width, datum.height);
      return (
        <img
          class="datum"
          src={datum.src}
          alt={label ?? t(datum.kind)}
          width={Math.round(datum.width * scale)}
          height={Math.round(datum.height * scale)}
        />
      );
    }
    case "sound":
      return (
        <figure class="sound" style={{ width: `${Math.max(size, 220)}px` }}>
          <img src={datum.picture} alt={label ?? t("sound")} />
          <audio controls preload="metadata" src={datum.src} aria-label={label ?? t("sound")} />
        </figure>
      );
    case "row":
      return <Row names={datum.names} values={datum.values} label={label} />;
    case "series":
      return <Series steps={datum.steps} size={size} label={label} />;
    case "tokens":
      return <code class="tokens">{datum.tokens.join(" ")}</code>;
  }
}

function Row({ names, values, label }: { names: string[]; values: (number | null)[]; label?: string | undefined }) {
  return (
    <table class="small" aria-label={label ?? t("row")}>
      <tbody>
        {values.map((value, index) => (
          <tr key={index}>
            <th scope="row">{names[index] ?? `x${index}`}</th>
            <td class="number">{value === null ? "–" : Number(value.toPrecision(4))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const INKS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"];

function Series({ steps, size, label }: { steps: (number | null)[][]; size: number; label?: string | undefined }) {
  const flat = steps.flat().filter((value): value is number => value !== null);
  const low = Math.min(...flat);
  const high = Math.max(...flat);
  const width = Math.max(size, 220);
  const height = width / 2;
  const x = (step: number) => (width * step) / Math.max(1, steps.length - 1);
  const y = (value: number) => height * (1 - (value - low) / (high - low || 1));
  return (
    <svg class="datum series" width={width} height={height} role="img" aria-label={label ?? t("row")}>
      {(steps[0] ?? []).map((_, column) => (
        <path
          key={column}
          fill="none"
          stroke={INKS[column % INKS.length]}
          stroke-width="1.5"
          d={lineOf(steps.map((step) => step[column] ?? null), x, y)}
        />
      ))}
    </svg>
  );
}

/** Of an SVG; missing steps are gaps. */
function lineOf(values: (number | null)[], x: (i: number) => number, y: (v: number) => number): string {
  let open = false;
  return values
    .map((value, step) => {
      const word = value === null ? "" : `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
      open = value !== null;
      return word;
    })
    .join("");
}
