// Which part of the plane is seen.
export interface Camera {
  /** In the middle. */
  x: number;
  y: number;
  /** Of the plane, in one CSS pixel; the same both ways. */
  unit: number;
}

export interface Size {
  width: number;
  height: number;
}

export type Place = [number, number];

const ROOM = 1.12; // beyond the outermost points

/** All of the points. */
export function fitted(points: Float32Array, size: Size): Camera {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let place = 0; place < points.length; place += 2) {
    left = Math.min(left, points[place]!);
    right = Math.max(right, points[place]!);
    low = Math.min(low, points[place + 1]!);
    high = Math.max(high, points[place + 1]!);
  }
  if (!(right >= left)) return { x: 0, y: 0, unit: 0.01 };
  const unit = ROOM * Math.max((right - left) / size.width, (high - low) / size.height);
  return { x: (left + right) / 2, y: (low + high) / 2, unit: unit || 0.01 };
}

export function toScreen(camera: Camera, size: Size, x: number, y: number): Place {
  return [size.width / 2 + (x - camera.x) / camera.unit, size.height / 2 - (y - camera.y) / camera.unit];
}

export function toPlane(camera: Camera, size: Size, left: number, top: number): Place {
  return [
    camera.x + (left - size.width / 2) * camera.unit,
    camera.y - (top - size.height / 2) * camera.unit,
  ];
}

export function panned(camera: Camera, right: number, down: number): Camera {
  return { ...camera, x: camera.x - right * camera.unit, y: camera.y + down * camera.unit };
}

/** By a factor, with what lies under a pixel left there. */
export function zoomed(camera: Camera, size: Size, factor: number, left: number, top: number): Camera {
  const [x, y] = toPlane(camera, size, left, top);
  return { x: x + (camera.x - x) * factor, y: y + (camera.y - y) * factor, unit: camera.unit * factor };
}

/** The point nearest to a pixel, if one is within reach. */
export function pointAt(
  points: Float32Array,
  camera: Camera,
  size: Size,
  left: number,
  top: number,
  reach = 10,
): number | null {
  const [x, y] = toPlane(camera, size, left, top);
  let best = (reach * camera.unit) ** 2;
  let found: number | null = null;
  for (let place = 0; place < points.length; place += 2) {
    const away = (points[place]! - x) ** 2 + (points[place + 1]! - y) ** 2;
    if (away <= best) [best, found] = [away, place / 2];
  }
  return found;
}

/** Round numbers between two, for a grid. */
export function ticks(low: number, high: number, most = 6): number[] {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const found: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** So many places at even distances along a line that was drawn. */
export function evenly(line: Place[], count: number): Place[] {
  const far = [0];
  for (let k = 1; k < line.length; k += 1) {
    far.push(far[k - 1]! + Math.hypot(line[k]![0] - line[k - 1]![0], line[k]![1] - line[k - 1]![1]));
  }
  const whole = far.at(-1) ?? 0;
  if (!whole) return line.slice(0, 1);
  let leg = 1;
  return Array.from({ length: count }, (_, place) => {
    const at = (whole * place) / (count - 1);
    while (leg < line.length - 1 && far[leg]! < at) leg += 1;
    const [from, to] = [line[leg - 1]!, line[leg]!];
    const share = (at - far[leg - 1]!) / (far[leg]! - far[leg - 1]! || 1);
    return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  });
}
