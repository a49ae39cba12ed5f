// What the server tells of runs.
export interface RunInfo {
  id: string;
  name: string;
  path: string;
  recipe: string;
  data: string;
  kind: string;
  /** training, finished, stopped, failed, … and whether a process is at it now. */
  state: string;
  active: boolean;
  step: number;
  seconds: number;
  began: string | null;
  error: string | null;
  /** log p(x) or its bound as last reported, with its kind and unit; null where there is none. */
  bound: { value: number; unit: string; kind: string } | null;
  /** Names of pictures in the run's folder, the newest first. */
  pictures: string[];
}
