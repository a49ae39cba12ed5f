// Which views there are. A view is a component; whether a run has it is said by what the run can.
import type { ComponentType, FunctionComponent } from "preact";
import type { About, Latent, Tool } from "../latent";
import { Attributes } from "./Attributes";
import { Compare } from "./Compare";
import { Forecast } from "./Forecast";
import { Lab } from "./Lab";
import { LikeThis } from "./LikeThis";
import { MapView } from "./Map";
import { Morph } from "./Morph";
import { New } from "./New";
import { Plane } from "./Plane";
import { Runs } from "./Runs";
import { Samples } from "./Samples";
import { Sliders } from "./Sliders";

export interface Page {
  /** In the address: `#/lab`. */
  id: string;
  title: () => string;
  view: ComponentType;
}

export interface RunView {
  /** In the address: `#/run/faces/map`. */
  id: string;
  title: () => string;
  suits: (about: About) => boolean;
  view: ComponentType<{ run: string; latent: Latent }>;
}

/** At the top of every page. */
export const PAGES: Page[] = [
  { id: "runs", title: Runs.title, view: Runs },
  { id: "new", title: New.title, view: New },
  { id: "compare", title: Compare.title, view: Compare },
  { id: "lab", title: Lab.title, view: Lab },
];

/** A view of the latent space, of runs that have what it takes. */
function tool(id: Tool, view: FunctionComponent<{ latent: Latent }> & { title: () => string }): RunView {
  return { id, title: view.title, suits: (about) => about.tools.includes(id), view };
}

/** Tabs of a run. */
export const RUN_VIEWS: RunView[] = [
  tool("map", MapView),
  tool("sliders", Sliders),
  tool("morph", Morph),
  tool("attributes", Attributes),
  tool("plane", Plane),
  tool("samples", Samples),
  tool("similar", LikeThis),
  tool("forecast", Forecast),
];
