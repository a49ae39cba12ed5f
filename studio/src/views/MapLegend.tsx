// What the colours of a map say.
import { type Coloured, classColour, gradient } from "../scatter/colours";

const MOST = 40; // classes that are listed

export function Legend({ legend, name }: { legend: Coloured["legend"]; name: string }) {
  if (!legend) return null;
  if (legend.kind === "scale") {
    const shown = [legend.low, legend.high].map((value) => String(Number(value.toPrecision(3))));
    return (
      <div class="legend small">
        <span>{name}</span>
        <span>{shown[0]}</span>
        <span class="gradient" style={{ background: gradient() }} />
        <span>{shown[1]}</span>
      </div>
    );
  }
  return (
    <ul class="legend small" aria-label={name}>
      {legend.names.slice(0, MOST).map((each, place) => (
        <li key={each}>
          <span class="chip" style={{ background: classColour(place) }} /> {each}
        </li>
      ))}
    </ul>
  );
}
