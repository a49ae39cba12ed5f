// Which views there are. A view is a component; whether a run has it is said by what the run can.
import type { ComponentType } from "preact";
import type { About, Latent } from "../latent";
import { Runs } from "./Runs";

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
export const PAGES: Page[] = [{ id: "runs", title: Runs.title, view: Runs }];

/** Tabs of a run. */
export const RUN_VIEWS: RunView[] = [];
